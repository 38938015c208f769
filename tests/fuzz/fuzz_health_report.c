/*
 * The first byte chooses the reporter. Whatever it says, what is written of it can be read again and is then
 * written the same: our own form is the whole of what passes.
 */
#include "base/check.h"
#include "proxy/health_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct health_report first, again;
	struct error err = {0};
	if (size < 1)
		return 0;
	enum health_reporter who = data[0] % 2 ? HEALTH_OF_TUNNEL : HEALTH_OF_ENCLAVE;
	health_report_init(&first);
	health_report_init(&again);
	if (!health_report_read(&first, who, (struct span){(const char *)data + 1, size - 1}, &err)) {
		CHECK(err.kind == ERR_PROTOCOL && err.hop && first.json.n == 0 && !first.ok);
	} else {
		for (size_t i = 0; i < first.json.n; i++)
			CHECK((uint8_t)first.json.p[i] >= ' ');
		CHECK(health_report_read(&again, who, buf_span(&first.json), &err));
		CHECK(span_is(buf_span(&first.json), buf_span(&again.json)) && first.ok == again.ok);
	}
	health_report_free(&first);
	health_report_free(&again);
	return 0;
}
