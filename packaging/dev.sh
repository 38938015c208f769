#!/bin/bash
# dev.sh - work on nitroproxy on one machine, with sockets in place of vsock.
#
#   ./packaging/dev.sh COMMAND
#
#   local [--once]    install, build, start tunnel, enclave, host and a TLS 1.3 origin, send requests through all of
#                     them and show what happened; stays up until Ctrl-C, with --once it ends (status 1 if any failed)
#   enclave [--once]  install, build the enclave image, boot it in an emulated Nitro enclave (x86-64 Debian; no KVM) and
#                     send requests of this machine's curl through it over vsock; stays up until Ctrl-C
#   test [--suite S]  install, build, run all tests or those of one suite: unit, lint, fuzz, integration, security,
#                     enclave, soak, cost, threads, bench; or images, which only runs when asked for: it builds
#                     container images and packages (needs root, buildah, debootstrap, rpm; takes minutes)
#   deps              install what is needed (packaging/deps.sh)
#   build             build the release binary, build/release/nitroproxy
#   start, stop, restart
#                     run tunnel, enclave and host in the background
#   status            what runs and, if something does not, why; status 0 only if all run
#   logs [-f] [SERVICE]
#                     the end of the logs of all, or of tunnel, enclave or host; -f goes on
#   clean             stop, and remove what was built and logged (.deps stays)
#   help              this text
#
# The host listens on 127.0.0.1:8080 and the tunnel on 127.0.0.1:5001, or on free ports where these are taken, for
# instance by another checkout.  Pid files, sockets and logs are in ~/.local/state/nitroproxy/, a directory a checkout.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$tree/build/release/nitroproxy
services=(tunnel enclave host)
state='' sockets='' # directories of pid files and logs, and of sockets; use_state sets them

say() { echo "dev: $*"; }
die() {
	echo "dev: error: $*" >&2
	exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

# ---- installing and building --------------------------------------------------------------------------------------

deps() { "$tree/packaging/deps.sh" "$@"; }

build() { # PRESET [TARGET...]
	(
		cd "$tree"
		# Configuring is quick and notices a changed .deps; only its failures are of interest.
		cmake --preset "$1" >"$tree/build/$1.log" 2>&1 || {
			cat "$tree/build/$1.log" >&2
			die "cmake could not configure"
		}
		cmake --build --preset "$1" ${2:+--target "${@:2}"}
	)
}

build_release() {
	mkdir -p "$tree/build"
	build release nitroproxy vsockd
	[ -x "$binary" ] || die "the build made no $binary"
}

show_enclave() { # [--once]
	deps --enclave-tests-quick
	mkdir -p "$tree/build"
	build static
	build_release
	NITROPROXY=$binary NP_STATIC=$tree/build/static/nitroproxy NP_VSOCKD=$tree/build/release/tests/vsockd \
		/usr/bin/python3 "$tree/tests/enclave/show.py" "$@"
}

# ---- processes of ours ----------------------------------------------------------------------------------------------
#
# A service leaves in $state:  NAME.pid  "PID START", START being the kernel's start time of that process, so that a
# number that now belongs to somebody else is never taken for ours;  NAME.exit  how it ended;  NAME.log.

start_time() { # PID : prints when it started, in ticks since boot; nothing if there is no such process
	# Field 22 of /proc/PID/stat, counted behind the name, which may hold spaces.
	sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

pid_of() { # NAME : prints the pid if the process we started still runs
	local pid start
	read -r pid start 2>/dev/null <"$state/$1.pid" || return 1
	[ -n "$start" ] && [ "$(start_time "$pid")" = "$start" ] && echo "$pid"
}

# A small shell stays beside each process to note how it ends.  setsid keeps the terminal's Ctrl-C away from them: the
# order in which they end is ours to choose.
spawn() { # NAME COMMAND...
	local name=$1
	shift
	rm -f "$state/$name.pid" "$state/$name.exit"
	(
		trap '' HUP INT
		setsid "$@" &
		echo "$! $(start_time $!)" >"$state/$name.pid.new"
		mv "$state/$name.pid.new" "$state/$name.pid"
		status=0
		wait $! 2>/dev/null || status=$?
		echo "$status" >"$state/$name.exit"
	) </dev/null >>"$state/$name.log" 2>&1 9>&- &
	until [ -f "$state/$name.pid" ]; do sleep 0.02; done
}

end() { # NAME : asks politely, then less so
	local pid waited=0
	pid=$(pid_of "$1") || return 0
	kill -TERM "$pid" 2>/dev/null || true
	while [ -n "$(start_time "$pid")" ] && pid_of "$1" >/dev/null; do
		sleep 0.1
		waited=$((waited + 1))
		if [ $waited = 100 ]; then
			say "$1 does not end within 10 s: killed"
			kill -KILL "$pid" 2>/dev/null || true
		fi
	done
	rm -f "$state/$1.pid"
}

ended() { # NAME : prints how it ended
	local status
	read -r status 2>/dev/null <"$state/$1.exit" || status=''
	case $status in
	'') echo "ended, nobody saw how" ;;
	0) echo "ended by itself" ;;
	*) if [ "$status" -gt 128 ]; then echo "killed by SIG$(kill -l $((status - 128)))"; else echo "exited with status $status"; fi ;;
	esac
}

# A unix socket's path has at most 107 bytes; state directories may be deeper than that.
use_state() { # DIRECTORY
	state=$1
	mkdir -p "$state"
	chmod 700 "$state"
	sockets=$state
	[ ${#state} -gt 80 ] || return 0
	sockets=${XDG_RUNTIME_DIR:-/tmp}/nitroproxy-$(id -u)-$(sha256sum <<<"$state" | cut -c 1-12)
	[ -d "$sockets" ] || mkdir -m 700 "$sockets"
	if [ ! -O "$sockets" ] || [ -L "$sockets" ]; then die "$sockets belongs to somebody else"; fi
}

checkout_id() { sha256sum <<<"$tree" | cut -c 1-12; }

use_background_state() {
	local home=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}
	use_state "${XDG_STATE_HOME:-$home/.local/state}/nitroproxy/$(checkout_id)"
	exec 9>"$state/lock"
	flock 9 # two dev.sh of one checkout take turns
}

# ---- tunnel, enclave, host --------------------------------------------------------------------------------------------

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

free_port() { # PREFERRED
	local port=$1
	while taken "$port"; do port=$((20000 + RANDOM % 12000)); done
	echo "$port"
}

# Waits until the host says that every hop is well, or says which process is to blame.
await_healthy() { # PORT
	local try name
	for ((try = 0; try < 200; try++)); do
		! curl -fs -o "$state/health" "http://127.0.0.1:$1/health" || return 0
		for name in "${services[@]}"; do
			pid_of "$name" >/dev/null || {
				tail -n 5 "$state/$name.log" >&2
				die "$name $(ended "$name")"
			}
		done
		sleep 0.1
	done
	curl -s "http://127.0.0.1:$1/health" >&2 || true
	die "not healthy after 20 s; logs: $state"
}

start_services() { # PORT_OF_HOST TUNNEL_ADDRESS TUNNEL_ARG... -- ENCLAVE_ARG...
	local port=$1 tunnel=$2 tunnel_args=()
	shift 2
	while [ "$1" != -- ]; do
		tunnel_args+=("$1")
		shift
	done
	shift
	rm -f "$sockets"/*.sock
	spawn tunnel "$binary" tunnel --listen "$tunnel" "${tunnel_args[@]}"
	spawn enclave "$binary" enclave --listen "unix:$sockets/enclave.sock" \
		--http-listen "unix:$sockets/enclave-http.sock" --tunnel "$tunnel" "$@"
	spawn host "$binary" host --port "$port" --enclave "unix:$sockets/enclave.sock"
	await_healthy "$port"
}

stop_services() {
	end host
	end enclave
	end tunnel
}

start() {
	local name running=0
	[ -x "$binary" ] || {
		deps
		build_release
	}
	use_background_state
	for name in "${services[@]}"; do
		! pid_of "$name" >/dev/null || running=$((running + 1))
	done
	if [ $running -lt ${#services[@]} ]; then
		stop_services # what is left of a broken set
		free_port 8080 >"$state/port"
		echo "tcp:127.0.0.1:$(free_port 5001)" >"$state/tunnel"
		start_services "$(cat "$state/port")" "$(cat "$state/tunnel")" --
	fi
	print_status
	echo "try: curl http://127.0.0.1:$(cat "$state/port")/health"
}

print_status() {
	local name pid all=0
	for name in "${services[@]}"; do
		if pid=$(pid_of "$name"); then
			printf '%-8s running, pid %s, up %s\n' "$name" "$pid" "$(ps -o etime= -p "$pid" | tr -d ' ')"
			continue
		fi
		all=3
		if [ -f "$state/$name.pid" ]; then
			printf '%-8s %s; its last words:\n' "$name" "$(ended "$name")"
			tail -n 3 "$state/$name.log" 2>/dev/null | sed 's/^/         /'
		else
			printf '%-8s stopped\n' "$name"
		fi
	done
	return $all
}

status() {
	use_background_state
	local result=0
	print_status || result=$?
	if pid_of host >/dev/null && [ -f "$state/port" ]; then
		echo "host on 127.0.0.1:$(cat "$state/port"), tunnel on $(cat "$state/tunnel"), logs in $state"
		curl -s -m 5 "http://127.0.0.1:$(cat "$state/port")/health" && echo || result=3
	fi
	return $result
}

logs() { # [-f] [SERVICE]
	local follow=() names=("${services[@]}")
	if [ "${1-}" = -f ]; then
		follow=(-f)
		shift
	fi
	if [ $# -gt 0 ]; then
		[[ " ${services[*]} " == *" $1 "* ]] || die "no service $1; there are: ${services[*]}"
		names=("$1")
	fi
	use_background_state
	exec 9>&- # looking keeps nobody waiting
	cd "$state"
	touch "${names[@]/%/.log}"
	tail -n 50 "${follow[@]}" "${names[@]/%/.log}"
}

clean() {
	use_background_state
	stop_services
	rm -rf "$tree/build" "$state" "$sockets"
	say "removed $tree/build and $state"
}

# ---- commands ---------------------------------------------------------------------------------------------------------

# shellcheck source=packaging/dev-local.sh
. "$tree/packaging/dev-local.sh"
# shellcheck source=packaging/dev-test.sh
. "$tree/packaging/dev-test.sh"

command=${1-help}
[ $# -eq 0 ] || shift
case $command in
local) run_local "$@" ;;
enclave) show_enclave "$@" ;;
test) run_tests "$@" ;;
deps) deps "$@" ;;
build) deps && build_release ;;
start) start ;;
stop) use_background_state && stop_services ;;
restart) use_background_state && stop_services && start ;;
status) status ;;
logs) logs "$@" ;;
clean) clean ;;
help | --help | -h) usage ;;
*) die "unknown command $command (help lists them)" ;;
esac
