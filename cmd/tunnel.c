/* nitroproxy tunnel: on the instance, gives the enclave connections to services. */
#include "proxy/tunnel.h"

#include "base/log.h"
#include "cmd.h"
#include "daemon.h"

struct tunnel_command {
	struct daemon daemon;
	struct tunnel *tunnel;
};

static void on_drained(void *arg)
{
	struct tunnel_command *c = arg;
	daemon_drained(&c->daemon);
}

static void on_drain(void *arg)
{
	struct tunnel_command *c = arg;
	tunnel_drain(c->tunnel, on_drained, c);
}

/* Without names everything is allowed, which the settings' own warnings say. */
static void log_rules(const struct settings *s)
{
	const struct text_list *names = &s->tunnel.allow, *blocks = &s->tunnel.allow_cidr;
	for (size_t i = 0; i < names->count; i++)
		log_write(LOG_INFO, "allow", LOG_STR("target", names->items[i]));
	for (size_t i = 0; i < blocks->count; i++)
		log_write(LOG_INFO, "allow", LOG_STR("block", blocks->items[i]));
}

static bool start(struct tunnel_command *c, struct error *err)
{
	struct daemon *d = &c->daemon;
	c->tunnel = tunnel_new(d->loop, &d->settings, d->crew, err);
	if (!c->tunnel)
		return false;
	if (d->crew->index == 0)
		log_rules(&d->settings);
	struct listener *li =
		daemon_listen(d, "tunnel", d->settings.tunnel.listen, tunnel_accept, c->tunnel, err);
	if (li)
		tunnel_add_listener(c->tunnel, li);
	return li;
}

int cmd_tunnel(int argc, char **argv)
{
	struct tunnel_command c = {0};
	struct error err;
	int status;
	if (!daemon_start(&c.daemon, argc, argv, CMD_TUNNEL, NULL, &status))
		return status;
	status = start(&c, &err) ? daemon_run(&c.daemon, on_drain, &c) : daemon_failed(&c.daemon, &err);
	tunnel_free(c.tunnel);
	daemon_end(&c.daemon);
	return status;
}
