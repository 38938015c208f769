#!/bin/bash
# What the host can see. Every byte between host, enclave and tunnel is recorded, the memory of host and tunnel and all
# logs are searched, and what an app inside the enclave or behind CONNECT says to a service must be in none of them.
#
#   NITROPROXY=build/release/nitroproxy tests/security/test_isolation.sh [--self-check]
#
# --self-check takes the TLS away from under the app in the enclave, and succeeds if that does not go unnoticed.
# Memory can be searched by root only.
#
# Each way in is tried with words of its own:
#
#	                     wire host-enclave   wire enclave-tunnel   memory and logs of host and tunnel
#	app in the enclave          no                   no                     no
#	CONNECT, either way         no                   no                     no
#	app on the host             yes                  no                     host: may be; tunnel: no
#	http:// (no TLS)            -                    yes
#
# The rows with a "yes" are searched for with the same words and must be found: an empty search proves nothing.
# shellcheck source=tests/security/lib.sh
. "$(dirname "$0")/lib.sh"

python=${NP_PYTHON:-/usr/bin/python3}

# words TAG : the six words of one request: in path, query, field name, field value, body, and the answer's body
words() {
	local part
	for part in path query name value body answer; do echo -n "$1-$part-5c1f "; done
}

# request TAG CURL_ARG.. : a POST with the words of TAG; its answer is in $work/body
request() {
	local tag=$1
	shift
	curl -s -m 20 --cacert "$work/root.pem" -o "$work/body" -w '%{http_code}' -d "$tag-body-5c1f" \
		-H "$tag-name-5c1f: $tag-value-5c1f" "$@"
}
target() { echo "$1/$2-path-5c1f?$2-query-5c1f"; } # URL TAG

# found FILE TAG : the words of TAG in FILE, on one line
found() {
	local word
	for word in $(words "$2"); do
		# Base64 and hexadecimal spellings of it would be no better.
		if grep -aqi -e "$word" -e "$(printf %s "$word" | base64 | cut -c 1-16)" \
			-e "$(printf %s "$word" | od -An -tx1 | tr -d ' \n')" "$1"; then echo -n "$word "; fi
	done
}

"$python" -W ignore "$here/zoo.py" "$work"
self_check=${1:-}
start origin "$python" -u "$here/parrot.py" "$work/good.pem" "$work/good.key"
port=$(await origin.log 'https \([0-9]*\)')
plain_port=$(await origin.log 'http \([0-9]*\)')
service=https://localhost:$port
[ "$self_check" != --self-check ] || service=http://localhost:$plain_port

record() { # NAME : a recorder in front of the socket NAME; its address is $work/rec.NAME
	start "rec.$1" "$python" -u "$here/record.py" "$work/rec.$1" "$work/all.$1" "$work/wire.$1"
	await "rec.$1.log" '\(ready\)' >/dev/null
}
record e
enclave_recorder=$pid
record t
tunnel_recorder=$pid
log_level=debug tunnel_address=unix:$work/rec.t enclave_address=unix:$work/rec.e \
	roles all --ca-file "$work/root.pem" --allow-plain-http

say 'requests, each with words of its own'
ways=(inner resumed connect connect-inner outer plain)
verdict 'app in the enclave' "$(request inner "$inner/$(target "$service" inner)")" 200
verdict '.. the words went there and back' "$(found "$work/body" inner)" "$(words inner)"
verdict 'app in the enclave, again: pooled' "$(request resumed "$inner/$(target "https://localhost:$port" resumed)")" 200
verdict 'CONNECT through the host' "$(request connect -x "$proxy" "$(target "https://localhost:$port" connect)")" 200
verdict '.. the words went there and back' "$(found "$work/body" connect)" "$(words connect)"
verdict 'CONNECT through the enclave' \
	"$(request connect-inner -x "$inner" "$(target "https://localhost:$port" connect-inner)")" 200
verdict 'app on the host' "$(request outer "$proxy/$(target "https://localhost:$port" outer)")" 200
verdict 'app in the enclave, http://' "$(request plain "$inner/$(target "http://localhost:$plain_port" plain)")" 200

search() { # ROLE TAG : which words of TAG the role has in its memory
	local pid_name=$1_pid
	# shellcheck disable=SC2046  # words are words
	"$python" "$here/memory.py" "${!pid_name}" $(words "$2") 2>&1 || true
}
say 'memory'
if [ "$(id -u)" = 0 ]; then
	for tag in inner resumed connect connect-inner; do
		verdict "host: nothing of $tag" "$(search host "$tag")" ''
		verdict "tunnel: nothing of $tag" "$(search tunnel "$tag")" ''
	done
	verdict 'tunnel: nothing of outer' "$(search tunnel outer)" ''
	start holder "$python" -c "import time; kept = '$(words inner)'; print('ready', flush=True); time.sleep(600)"
	await holder.log '\(ready\)' >/dev/null
	holder_pid=$pid
	verdict 'a process that has the words is found out' "$(search holder inner) " "$(words inner | xargs -n 1 | sort | xargs) "
else
	say '  skipped: only root can look'
fi

say 'cores and debuggers'
for role in host enclave tunnel; do
	pid_name=${role}_pid
	verdict "$role: no core file of any size" \
		"$(sed -n 's/^Max core file size *\([0-9a-z]*\) *\([0-9a-z]*\) .*/\1 \2/p' "/proc/${!pid_name}/limits")" '0 0'
done
if ! grep -aq __asan_init "$nitroproxy"; then # its leak check is a debugger, so that it is allowed there
	# What must not be dumped belongs to root in /proc, whoever runs it (proc(5)).
	as_nobody=()
	[ "$(id -u)" != 0 ] || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	start other "${as_nobody[@]}" "$nitroproxy" tunnel --listen tcp:127.0.0.1:0
	await other.log 'msg=\(ready\)' >/dev/null
	verdict 'its own user may not look into it' "$(stat -c %U "/proc/$pid/environ")" root
	stop "$pid"
fi
end_roles
stop "$enclave_recorder"
stop "$tunnel_recorder"

say 'wires'
for tag in inner resumed connect connect-inner; do
	verdict "host - enclave: nothing of $tag" "$(found "$work/wire.e" "$tag")" ''
	verdict "enclave - tunnel: nothing of $tag" "$(found "$work/wire.t" "$tag")" ''
done
verdict 'enclave - tunnel: nothing of outer' "$(found "$work/wire.t" outer)" ''
verdict 'an app on the host is in clear up to the enclave' "$(found "$work/wire.e" outer)" "$(words outer)"
verdict 'without TLS all of it would be seen' "$(found "$work/wire.t" plain)" "$(words plain)"
verdict 'the target is seen, as documented' "$(grep -ac "\"localhost\",\"port\":$port" "$work/wire.t")" '[1-9].*'

say 'logs, at level debug'
for tag in "${ways[@]}"; do
	for role in host enclave tunnel; do
		verdict "$role: nothing of $tag" "$(found "$work/all.$role.log" "$tag")" ''
	done
done
verdict 'they do tell of the exchanges' "$(grep -c msg=exchange "$work/all.enclave.log")" '[1-9].*'
if [ "$self_check" = --self-check ]; then
	conclude && exit 1
	say 'as it should: without TLS it fails'
	exit 0
fi
conclude
