#include "sockets.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"

void sockets_init(struct sockets *s)
{
	*s = (struct sockets){.count = 0};
	systemd_sockets(&s->from_systemd);
}

bool sockets_open(struct sockets *s, const char *name, const char *address, struct listening *out,
		  struct error *err)
{
	struct address a;
	int fd = systemd_socket_take(&s->from_systemd, name);
	if (fd >= 0)
		listening_adopt(out, fd, name);
	else if (!address_parse(address, &a, err) || !listening_open(out, &a, err))
		return false;
	log_write(LOG_INFO, "listen", LOG_STR("what", name), LOG_STR("address", out->name),
		  LOG_STR("from", fd < 0 ? NULL : "systemd"));
	return true;
}

bool sockets_open_all(struct sockets *s, const struct settings *set, struct error *err)
{
	const struct {
		enum command command;
		const char *name, *address;
	} all[] = {{CMD_HOST, "http", set->host_proxy.listen},
		   {CMD_HOST, "ingress", set->ingress.listen},
		   {CMD_ENCLAVE, "frames", set->enclave.listen},
		   {CMD_ENCLAVE, "http", set->enclave.http_listen},
		   {CMD_ENCLAVE, "ingress", set->ingress.enclave_listen},
		   {CMD_TUNNEL, "tunnel", set->tunnel.listen}};
	for (size_t i = 0; i < countof(all); i++) {
		if (all[i].command != set->command || !all[i].address[0])
			continue;
		CHECK(s->count < SOCKETS_MAX);
		if (!sockets_open(s, all[i].name, all[i].address, &s->at[s->count].socket, err)) {
			sockets_close_all(s);
			return false;
		}
		snprintf(s->at[s->count].name, sizeof s->at[0].name, "%s", all[i].name);
		s->count++;
	}
	return true;
}

void sockets_borrow(const struct sockets *s, const char *name, struct listening *out)
{
	size_t i = 0;
	while (i < s->count && strcmp(s->at[i].name, name) != 0)
		i++;
	CHECK(i < s->count);
	listening_adopt(out, s->at[i].socket.fd, s->at[i].socket.name);
}

void sockets_close_all(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		listening_close(&s->at[i].socket);
}

void sockets_free(struct sockets *s)
{
	systemd_sockets_close(&s->from_systemd);
}
