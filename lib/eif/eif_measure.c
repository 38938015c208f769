#include <string.h>

#include "eif/eif.h"
#include "eif/eif_sign.h"
#include "nsm/signer.h"

void eif_extend(const uint8_t in[SHA384_SIZE], uint8_t pcr[SHA384_SIZE])
{
	static const char zeros[SHA384_SIZE];
	digest_sha384((struct span){zeros, sizeof zeros}, (struct span){(const char *)in, SHA384_SIZE}, pcr);
}

static void measure(const struct span *parts, size_t count, uint8_t pcr[SHA384_SIZE])
{
	uint8_t sum[SHA384_SIZE];
	digest_sha384_all(parts, count, sum);
	eif_extend(sum, pcr);
}

static bool measure_signer(struct span signature, uint8_t pcr[SHA384_SIZE], struct error *err)
{
	uint8_t sum[SHA384_SIZE];
	struct buf pem;
	buf_init(&pem, EIF_CERTIFICATE_MAX);
	bool good = eif_signer(signature, &pem, err) && signer_fingerprint(buf_span(&pem), sum, err);
	if (good)
		eif_extend(sum, pcr);
	buf_free(&pem);
	return good;
}

bool eif_measure(const struct eif *e, struct eif_measurements *m, struct error *err)
{
	struct span all[2 + EIF_RAMDISKS_MAX] = {e->kernel, e->cmdline};
	memcpy(all + 2, e->ramdisk, e->ramdisks * sizeof *all);
	measure(all, 2 + e->ramdisks, m->pcr0);
	measure(all, 3, m->pcr1);
	measure(all + 3, e->ramdisks - 1, m->pcr2);
	memset(m->pcr8, 0, sizeof m->pcr8);
	return !e->signature.p || measure_signer(e->signature, m->pcr8, err);
}
