#!/bin/bash
# deploy.sh - puts nitroproxy to work on a Nitro instance.  Run it as root from the directory that `build.sh artifacts`
# made and you copied here; run it again after every change.
#
#   ./deploy.sh [OPTION]...
#
#   --dry-run       print every step, do none
#   --config FILE   settings to install     (default: config.json here; an installed one that differs is replaced)
#   --eif FILE      the enclave's image     (default: nitroproxy.eif here)
#   --wait SECONDS  for everything to be healthy                                                    (default: 120)
#   --root DIR      another root directory than /, to try this script out
#   --help          this text
#
# Steps: check the instance; reserve memory and CPUs for the enclave; install binary, settings, units and image; start
# tunnel, enclave and host; wait for /health.  If a step fails, the files of before come back and what ran runs again.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dry=no root='' config=$here/config.json eif=$here/nitroproxy.eif patience=120

say() { echo "deploy: $*"; }
die() {
	echo "deploy: error: $*" >&2
	exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

value() { [ $# -ge 2 ] || die "$1 needs a value"; }
while [ $# -gt 0 ]; do
	case $1 in
	--dry-run) dry=yes ;;
	--config) value "$@" && config=$(realpath -m "$2") && shift ;;
	--eif) value "$@" && eif=$(realpath -m "$2") && shift ;;
	--wait) value "$@" && patience=$2 && shift ;;
	--root) value "$@" && root=$(realpath -m "$2") && shift ;;
	--help | -h) usage && exit ;;
	*) die "unknown option $1 (--help lists them)" ;;
	esac
	shift
done

step() { # COMMAND... : the only way anything is changed
	printf '  %s\n' "$*"
	[ $dry = yes ] || "$@"
}

# ---- the settings that this script needs, as the program itself understands them --------------------------------------

settings='' # JSON with a member a line
load_settings() {
	[ -x "$here/nitroproxy" ] || die "$here/nitroproxy is missing: run build.sh artifacts and copy all of build/"
	settings=$("$here/nitroproxy" host --config "$config" --print-config=json) || die "$config is not valid"
}
setting() { # SECTION KEY
	sed -n '/^\t"'"$1"'": {/,/^\t}/s/^\t\t"'"$2"'": "\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' <<<"${settings//,$'\n'/$'\n'}"
}

# "tcp:10.0.0.5:8080" as systemd's ListenStream= has it.
listen_stream() { # ADDRESS
	case $1 in
	tcp:'*':* | tcp::[0-9]*) echo "${1##*:}" ;;
	tcp:*) echo "${1#tcp:}" ;;
	unix:*) echo "${1#unix:}" ;;
	vsock:any:*) echo "vsock::${1##*:}" ;;
	vsock:*) echo "$1" ;;
	*) die "systemd cannot listen on $1" ;;
	esac
}

# ---- is this an instance that can? ------------------------------------------------------------------------------------

problems=0
problem() {
	echo "  no   $1" >&2
	echo "       $2" >&2
	problems=$((problems + 1))
}
check() { # WHAT REMEDY COMMAND...
	local what=$1 remedy=$2
	shift 2
	if "$@" >/dev/null 2>&1; then echo "  ok   $what"; else problem "$what" "$remedy"; fi
}
is_root() { [ "$(id -u)" = 0 ]; }
has_cgroups() { [ -f "$root/sys/fs/cgroup/cgroup.controllers" ] || [ -d "$root/sys/fs/cgroup/memory" ]; }
eif_fits() { [ $(($(stat -c %s "$eif") * 4 / 1048576)) -le "$memory" ]; }

check_instance() {
	say "checking this instance"
	[ $dry = yes ] || [ -n "$root" ] || check "run by root" "sudo $0" is_root
	check "/dev/nitro_enclaves" "launch the instance with --enclave-options Enabled=true, on a type that has them" \
		test -e "$root/dev/nitro_enclaves"
	check "nitro-cli" "dnf install aws-nitro-enclaves-cli" command -v nitro-cli
	check "systemd" "this script needs systemctl" command -v systemctl
	check "nitro-enclaves-allocator.service" "it comes with aws-nitro-enclaves-cli" systemctl cat nitro-enclaves-allocator.service
	check "cgroups" "no cgroup file system at /sys/fs/cgroup: services cannot be kept apart" has_cgroups
	check "enclave.cid $cid is 4 or more" "0 to 3 have fixed meanings: set enclave.cid in $config" test "$cid" -ge 4
	check "the enclave's image, $eif" "build it (build.sh enclave) and copy it here" test -f "$eif"
	[ ! -f "$eif" ] || check "enclave.memory_mb $memory is four times the image" "nitro-cli wants that much to boot it" eif_fits
	[ ! -f "$here/SHA256SUMS" ] || check "files are as they were built" "sha256sum -c SHA256SUMS says which are not" \
		env -C "$here" sha256sum --quiet --check SHA256SUMS
	[ $problems = 0 ] || [ $dry = yes ] || die "$problems of the above must be put right first"
}

# ---- files, with a way back -------------------------------------------------------------------------------------------

backup='' changed=() # destinations; those that were there before lie in $backup
keep() { # DESTINATION : remember what is there
	[ $dry = no ] || return 0
	changed+=("$1")
	[ -e "$1" ] || return 0
	mkdir -p "$backup$(dirname "$1")"
	cp -a "$1" "$backup$1"
}
put() { # SOURCE DESTINATION MODE : nothing if it is there already
	local to=$root$2
	if cmp -s "$1" "$to"; then return; fi
	keep "$to"
	step install -D -m "$3" "$1" "$to.new"
	step mv -f "$to.new" "$to" # a running binary cannot be written over
}
put_text() { # DESTINATION TEXT
	local to=$root$1
	if [ "$(cat "$to" 2>/dev/null)" = "$2" ]; then return; fi
	keep "$to"
	printf '  write %s\n' "$to"
	[ $dry = no ] || return 0
	mkdir -p "$(dirname "$to")"
	printf '%s\n' "$2" >"$to.new"
	mv -f "$to.new" "$to"
}

rollback() {
	local status=$? file unit
	trap - EXIT
	[ $status != 0 ] || return 0
	[ -n "$backup" ] || exit $status
	say "a step failed: going back" >&2
	systemctl stop nitroproxy-enclave.service nitroproxy-host.service "${host_sockets[@]}" \
		nitroproxy-tunnel.service nitroproxy-tunnel.socket || true
	for file in "${changed[@]}"; do
		rm -f "$file"
		[ ! -e "$backup$file" ] || cp -a "$backup$file" "$file"
	done
	systemctl daemon-reload || true
	[ $allocator_changed = no ] || systemctl restart nitro-enclaves-allocator.service || true
	for unit in "${were_enabled[@]}"; do systemctl enable "$unit" || true; done
	for unit in "${new_units[@]}"; do systemctl disable "$unit" || true; done
	for unit in "${were_active[@]}"; do systemctl start "$unit" || true; done
	rm -rf "$backup"
	say "as it was before; journalctl -u 'nitroproxy-*' tells why it failed" >&2
	exit $status
}

# ---- the steps ----------------------------------------------------------------------------------------------------------

host_sockets=(nitroproxy-host.socket) # and the ingress's, when the settings have one
units=()
were_active=() were_enabled=() new_units=() allocator_changed=no

note_state() {
	local unit
	for unit in "${units[@]}"; do
		! systemctl -q is-active "$unit" 2>/dev/null || were_active+=("$unit")
		if systemctl -q is-enabled "$unit" 2>/dev/null; then were_enabled+=("$unit"); else new_units+=("$unit"); fi
	done
}

# The allocator's other settings and comments stay.
reserve() {
	local file=/etc/nitro_enclaves/allocator.yaml now wanted
	say "reserving $memory MiB and $cpus CPUs for the enclave"
	now=$(cat "$root$file" 2>/dev/null || true)
	wanted=$(awk -v memory="$memory" -v cpus="$cpus" '
		/^memory_mib:/ { print "memory_mib: " memory; m = 1; next }
		/^cpu_count:/ { print "cpu_count: " cpus; c = 1; next }
		/^cpu_pool:/ { print "# " $0 "  # nitroproxy asks for a number of CPUs"; next }
		NF || NR > 1 { print }
		END { if (!m) print "memory_mib: " memory; if (!c) print "cpu_count: " cpus }' <<<"$now")
	if [ "$now" != "$wanted" ]; then
		allocator_changed=yes
		put_text $file "$wanted"
		# Memory can only be taken back while no enclave uses it.
		step systemctl stop nitroproxy-enclave.service
	fi
	step systemctl enable nitro-enclaves-allocator.service
	if [ $allocator_changed = yes ]; then
		step systemctl restart nitro-enclaves-allocator.service
	else
		step systemctl start nitro-enclaves-allocator.service
	fi
}

# systemd opens the listeners: it has to know what the settings say.
listen() { # NAME WHERE
	put_text "/etc/systemd/system/nitroproxy-$1.socket.d/listen.conf" \
		"# written by deploy.sh from config.json"$'\n'"[Socket]"$'\n'"ListenStream="$'\n'"ListenStream=$2"
}

install_files() {
	local file
	say "installing"
	put "$here/nitroproxy" /usr/bin/nitroproxy 755
	put "$config" /etc/nitroproxy/config.json 640
	put "$eif" /var/lib/nitroproxy/nitroproxy.eif 644
	put "$here/systemd/enclave-life" /usr/lib/nitroproxy/enclave-life 755
	put "$here/systemd/nitroproxy.sysusers" /usr/lib/sysusers.d/nitroproxy.conf 644
	put "$here/systemd/nitroproxy.tmpfiles" /usr/lib/tmpfiles.d/nitroproxy.conf 644
	put "$here/logrotate/nitroproxy" /etc/logrotate.d/nitroproxy 644
	for file in "$here"/systemd/*.service "$here"/systemd/*.socket; do
		put "$file" "/usr/lib/systemd/system/${file##*/}" 644
	done
	listen host "$listen_host"
	listen tunnel "$listen_tunnel"
	[ -z "$listen_ingress" ] || listen ingress "$listen_ingress"
	step systemd-sysusers nitroproxy.conf
	step systemd-tmpfiles --create nitroproxy.conf
	step systemctl daemon-reload
}

start() {
	say "starting tunnel, enclave and host"
	[ -n "$listen_ingress" ] || ! systemctl -q is-enabled nitroproxy-ingress.socket 2>/dev/null ||
		step systemctl disable --now nitroproxy-ingress.socket
	step systemctl enable "${units[@]}"
	step systemctl stop nitroproxy-enclave.service nitroproxy-host.service nitroproxy-tunnel.service
	step systemctl restart nitroproxy-tunnel.socket "${host_sockets[@]}"
	step systemctl start nitroproxy-tunnel.service
	step systemctl start nitroproxy-enclave.service
	step systemctl start nitroproxy-host.service
}

await_health() {
	local end=$((SECONDS + patience)) answer
	say "waiting for /health"
	printf '  %s\n' "$root/usr/bin/nitroproxy host --health --config $root/etc/nitroproxy/config.json"
	[ $dry = no ] || return 0
	until answer=$("$root/usr/bin/nitroproxy" host --health --config "$root/etc/nitroproxy/config.json" 2>&1); do
		if [ $SECONDS -ge $end ]; then
			echo "$answer" >&2
			die "not healthy after $patience s; the answer above names the hop"
		fi
		sleep 1
	done
	echo "  $answer"
}

# ---- all of it ------------------------------------------------------------------------------------------------------------

[[ $patience =~ ^[0-9]+$ ]] || die "--wait wants seconds"
load_settings
cid=$(setting enclave cid) memory=$(setting enclave memory_mb) cpus=$(setting enclave cpu_count)
listen_host=$(listen_stream "$(setting host_proxy listen)") || exit 1
listen_tunnel=$(listen_stream "$(setting tunnel listen)") || exit 1
listen_ingress=$(setting ingress listen)
if [ -n "$listen_ingress" ]; then
	listen_ingress=$(listen_stream "$listen_ingress") || exit 1
	host_sockets+=(nitroproxy-ingress.socket)
fi
units=(nitroproxy-tunnel.socket nitroproxy-tunnel.service "${host_sockets[@]}" nitroproxy-host.service
	nitroproxy-enclave.service)
check_instance
if [ $dry = no ]; then
	note_state
	backup=$(mktemp -d)
	trap rollback EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
fi
reserve
install_files
start
await_health
trap - EXIT
[ -z "$backup" ] || rm -rf "$backup"
[ $dry = no ] || say "dry run: nothing was changed"
cat <<END

It runs.  To look after it:
  nitroproxy host --health                                 every hop
  systemctl status 'nitroproxy-*'                          what runs
  journalctl -f -u nitroproxy-host -u nitroproxy-tunnel    logs of host and tunnel
  journalctl -u nitroproxy-enclave                         the enclave's life; nitro-cli's own log: /var/log/nitro_enclaves/
  nitro-cli describe-enclaves                              state and CID
END
