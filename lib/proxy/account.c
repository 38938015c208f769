#include "proxy/account.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

void account_exchange(const struct exchange_info *info, struct metrics *m)
{
	char id[20], target[TARGET_AUTHORITY_MAX] = "-";
	uint64_t now = monotonic_us();
	metrics_exchange(m, info);
	enum log_level level = info->failed ? LOG_WARN : LOG_INFO;
	if (!log_on(level))
		return;
	snprintf(id, sizeof id, "%016" PRIx64, info->id);
	if (info->target.host[0])
		target_authority(&info->target, target);
	uint64_t opened = info->opened_us ? info->opened_us - info->started_us : 0;
	uint64_t answered = info->answered_us ? info->answered_us - info->started_us : 0;
	if (info->failed)
		log_write(level, "exchange", LOG_STR("id", id), LOG_STR("method", info->method),
			  LOG_STR("target", target), LOG_INT("status", info->status),
			  LOG_UINT("up", info->bytes_up), LOG_UINT("down", info->bytes_down),
			  LOG_MS("ms", now - info->started_us), LOG_UINT("attempts", info->attempts),
			  LOG_ERR(&info->err));
	else
		log_write(level, "exchange", LOG_STR("id", id), LOG_STR("method", info->method),
			  LOG_STR("target", target), LOG_INT("status", info->status),
			  LOG_UINT("up", info->bytes_up), LOG_UINT("down", info->bytes_down),
			  LOG_MS("ms", now - info->started_us), LOG_MS("open_ms", opened),
			  LOG_MS("head_ms", answered), LOG_BOOL("reused", info->reused),
			  LOG_UINT("attempts", info->attempts));
}
