# Sourced by the shell tests of this directory: processes, the three roles, judgement of answers.
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nitroproxy=${NITROPROXY:?names the executable to test}
work=$(mktemp -d "${TMPDIR:-/tmp}/np-sec.XXXXXX")
pids=()
failures=0
cases=0

finish() {
	local pid
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT
mkfifo "$work/silence"
exec 8<>"$work/silence" # an input that never ends and never says anything

say() { printf '%s\n' "$*"; }

# verdict LABEL GOT WANT : WANT is an extended regular expression for all of GOT
verdict() {
	cases=$((cases + 1))
	if [[ $2 =~ ^($3)$ ]]; then
		printf '  ok      %-58s %s\n' "$1" "$2"
	else
		printf '  FAILED  %-58s got "%s", want "%s"\n' "$1" "$2" "$3"
		failures=$((failures + 1))
	fi
}

conclude() {
	say "$cases cases, $failures failed"
	[ "$failures" = 0 ]
}

# ---- processes ------------------------------------------------------------------------------------------------------

# start NAME COMMAND.. : its output goes to $work/NAME.log; its pid is $pid
start() {
	local name=$1
	shift
	rm -f "$work/$name.log" # an older one would answer for it
	"$@" >"$work/$name.log" 2>&1 <&8 8<&- &
	pid=$!
	pids+=("$pid")
}

stop() { # PID
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# await FILE PATTERN : prints the first match of \(..\) in PATTERN once a line of FILE has it
await() {
	local i
	for ((i = 0; i < 1000; i++)); do
		if grep -q -- "$2" "$work/$1" 2>/dev/null; then
			sed -n "s/.*$2.*/\1/p" "$work/$1" | head -n 1
			return 0
		fi
		sleep 0.01
	done
	say "$1 never had: $2" >&2
	cat "$work/$1" >&2 || true
	return 1
}

# roles NAME [ENCLAVE_ARG..] : tunnel, enclave and host of that name; sets proxy, inner (URLs), tunnel_pid, ..
# tunnel_address and enclave_address, when set, are what the next role dials instead of the real sockets.
roles() {
	local name=$1
	shift
	local level=${log_level:-info}
	start "$name.tunnel" "$nitroproxy" tunnel --listen "unix:$work/$name.t" --allow-cidr 127.0.0.0/8 \
		--allow-cidr ::1/128 --log-level "$level"
	tunnel_pid=$pid
	await "$name.tunnel.log" 'msg=\(ready\)' >/dev/null
	start "$name.enclave" "$nitroproxy" enclave --listen "unix:$work/$name.e" --http-listen tcp:127.0.0.1:0 \
		--tunnel "${tunnel_address:-unix:$work/$name.t}" --log-level "$level" "$@"
	enclave_pid=$pid
	await "$name.enclave.log" 'msg=\(ready\)' >/dev/null
	start "$name.host" "$nitroproxy" host --port 0 --enclave "${enclave_address:-unix:$work/$name.e}" \
		--log-level "$level"
	host_pid=$pid
	proxy=http://127.0.0.1:$(await "$name.host.log" 'what=http address=tcp:127.0.0.1:\([0-9]*\)')
	inner=http://127.0.0.1:$(await "$name.enclave.log" 'what=http address=tcp:127.0.0.1:\([0-9]*\)')
	await "$name.host.log" 'msg=\(ready\)' >/dev/null
}

# Each must still run and then end with status 0: a killed system call, a crash, a sanitizer's report do not.
end_roles() {
	local p
	for p in "$host_pid" "$enclave_pid" "$tunnel_pid"; do kill "$p" 2>/dev/null || true; done
	for p in "$host_pid" "$enclave_pid" "$tunnel_pid"; do
		local status=0
		wait "$p" 2>/dev/null || status=$?
		[ "$status" = 0 ] || verdict "the roles end in order" "status $status" "status 0"
	done
}
