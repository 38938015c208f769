#!/bin/bash
# deps.sh - everything nitroproxy needs to be built and tested, on Debian 12 and later.
#
#   ./packaging/deps.sh [OPTION]...
#
#   --no-tests        only what the build needs, without compilers, servers and clients for the tests
#   --enclave-tests   also what tests/enclave boots: QEMU with the nitro-enclave machine, a kernel, User-Mode Linux.
#                     The first two are built, which takes a quarter of an hour, unless NITROPROXY_VM_CACHE, by
#                     default ../shared/vm-cache beside this checkout, is a directory that has them with their
#                     SHA256SUMS (set but empty: build them).  They go to ~/.cache/nitroproxy/vm, or NITROPROXY_VM
#   --enclave-tests-quick  likewise, but without what would have to be built
#   --bench           also the programs that tests/bench measures nitroproxy against
#   --no-system       install no packages (needs no root); only build mbedTLS and llhttp
#   --prefix DIR      where those two go                           (default: .deps in this checkout)
#   --suites "A B"    Debian suites to take them from, best first  (default: "forky trixie")
#   --mbedtls FILE    take mbedTLS from this release tarball instead (any Linux)
#   --llhttp FILE     take llhttp from this release tarball instead  (any Linux)
#   --no-accel        leave AES-GCM to mbedTLS's own code (to compare, or to distrust ours; then cmake -DNP_ACCEL=OFF,
#                     which does the same for SHA-256 and X25519)
#   --trust-tarballs  accept tarballs whose SHA-256 this script does not know
#   --help            this text
#
# Run as root or with sudo at hand.  When all is there already it ends within a second.
#
# mbedTLS 3.6 and llhttp 9 are newer than Debian 12's.  They come as source from a later suite of the very archive
# this machine uses already: apt gets a private state directory and the machine's own archive address, and checks the
# archive's signature and every hash as always.  The system's apt configuration, package lists and libraries are left
# alone.  A suite whose index has expired is refused, never forced (old signed indexes are how one is kept from
# security fixes), and the next one is tried.  Other distributions: packaging/README.md.
set -Eeuo pipefail
export LC_ALL=C
trap 'echo "deps: error: line $LINENO: a command failed that should not" >&2' ERR

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=$tree/.deps
suites="forky trixie"
mbedtls_file='' llhttp_file=''
want_system=yes want_tests=yes want_bench=no want_vm=no want_accel=yes trust_tarballs=no

mbedtls_min=3.6.6 mbedtls_below=3.7~ mbedtls_good=3.6.7
llhttp_min=9.2 llhttp_below=10~

# -maes -mpclmul let mbedTLS use AES-NI by intrinsics; it still asks the CPU before it does.
cflags="-O2 -g -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2"
[ "$(uname -m)" != x86_64 ] || cflags+=" -maes -mpclmul"

packages_build=(gcc libc6-dev cmake ninja-build pkg-config bzip2 xz-utils ca-certificates libuv1-dev libjansson-dev
	libidn2-dev libunistring-dev)
packages_tests=(libcmocka-dev clang libclang-rt-dev clang-format clang-tidy cppcheck shellcheck nginx openssl curl
	socat strace procps net-tools inetutils-telnet python3 python3-pytest python3-requests python3-cryptography
	python3-websockets libssl-dev valgrind faketime gnutls-bin iptables iproute2 util-linux)
packages_bench=(nginx libnginx-mod-stream haproxy squid tinyproxy stunnel4 socat wrk valgrind iproute2 util-linux)

# Release tarballs as their projects publish them.
known_sha256="
a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6 mbedtls-3.6.7.tar.bz2
8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a mbedtls-3.6.6.tar.bz2
1eb813c7437b31a87496a1cd3ed79f00746720f5e7e29c79b42c02cb69f36c39 llhttp-9.4.3.tar.gz
86a8c16759fdcc7aa2c9841fbe8ba2e77ea98be7d5d45615f2604776d0ff78c7 llhttp-9.4.1.tar.gz
3c163891446e529604b590f9ad097b2e98b5ef7e4d3ddcf1cf98b62ca668f23e llhttp-9.2.1.tar.gz"

say() { echo "deps: $*"; }
die() {
	echo "deps: error: $*" >&2
	exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

# ---- system packages --------------------------------------------------------------------------------------------

missing_packages() { # NAME... : prints those that are not installed
	local name
	for name; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian starts a server as soon as it is installed; here servers are installed as tools, and an nginx on port 80 is
# nobody's wish.  policy-rc.d is Debian's way to say so.  One that exists is the administrator's word and stays.
policy=/usr/sbin/policy-rc.d
forbid_daemons() {
	[ -e $policy ] && return
	our_policy=yes
	printf '#!/bin/sh\n# put here by nitroproxy deps.sh for the time of an installation\nexit 101\n' |
		as_root sh -c "cat >$policy && chmod 755 $policy"
}

apt_install() { # NAME...
	local try
	forbid_daemons
	for try in 1 2 3; do # another apt may hold the lists' lock, for which apt-get update does not wait
		as_root apt-get -q update && break
		[ $try -lt 3 ] || die "apt-get update failed"
		sleep 5
	done
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
		install --no-install-recommends "$@" || die "apt-get could not install: $*"
}

install_system() {
	local wanted
	wanted=("${packages_build[@]}")
	[ $want_tests = no ] || wanted+=("${packages_tests[@]}")
	[ $want_bench = no ] || wanted+=("${packages_bench[@]}")
	install_packages "${wanted[@]}"
}

install_packages() { # NAME...
	local missing
	if ! command -v apt-get >/dev/null; then
		say "no apt-get here: packaging/README.md names the packages other distributions need"
		return
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		die "neither root nor sudo; as root run: apt-get install --no-install-recommends ${missing[*]}"
	fi
	say "installing: ${missing[*]}"
	apt_install "${missing[@]}"
}

# ---- sources: a private view of one Debian suite ------------------------------------------------------------------

apt_private() { # TOOL ARG... : the machine's apt with other sources and another state, nothing else changed
	local tool=$1
	shift
	"$tool" -q \
		-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State="$work/state" -o Dir::State::lists="$work/state/lists" \
		-o Dir::State::status="$work/state/status" -o Dir::Cache="$work/cache" \
		-o Acquire::Languages=none -o Acquire::Retries=3 \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
		"$@"
}

archive() { # prints the address of the Debian archive in the machine's own sources
	local targets
	# shellcheck disable=SC2016  # apt expands these
	targets=$(apt-get indextargets --format '$(SITE) $(LABEL)' 'Created-By: Packages' 2>/dev/null) || true
	# The label is only known once the lists were fetched; before that the address has to tell.
	awk '$2 == "Debian" && !best { best = $1 } $1 ~ /\/debian\/?$/ && !likely { likely = $1 }
	     END { print best ? best : likely }' <<<"$targets"
}

keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		if [ -f "$file" ]; then
			echo "$file"
			return
		fi
	done
	die "the package debian-archive-keyring is missing"
}

private_dir() { # DIR : empty and writable for apt's sandbox user, who fetches when we are root
	rm -rf "$1"
	mkdir -p "$1"
	if [ "$(id -u)" = 0 ]; then chown _apt "$1"; fi
}

open_suite() { # SUITE
	rm -rf "$work/state" "$work/cache"
	private_dir "$work/state/lists/partial"
	private_dir "$work/cache/archives/partial"
	: >"$work/state/status"
	printf '%s [signed-by=%s] %s %s main\n' deb "$keys" "$site" "$1" deb-src "$keys" "$site" "$1" >"$work/sources.list"
	apt_private apt-get update -o APT::Update::Error-Mode=any >"$work/log" 2>&1
}

within() { dpkg --compare-versions "$1" ge "$2" && dpkg --compare-versions "$1" lt "$3"; }

# Only the upstream tarball is taken: Debian's patches drop the X25519 code we want.  It holds all generated files,
# so neither Python nor Perl is needed.
fetch_mbedtls() { # SUITE : sets mbedtls_tar, mbedtls_from
	local version best=
	while read -r version; do
		within "$version" $mbedtls_min $mbedtls_below || continue
		if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best"; then best=$version; fi
	done < <(apt_private apt-cache showsrc mbedtls 2>/dev/null | sed -n 's/^Version: //p')
	[ -n "$best" ] || return 0
	private_dir "$work/fetched-mbedtls"
	(cd "$work/fetched-mbedtls" && apt_private apt-get source --download-only "mbedtls=$best") >>"$work/log" 2>&1 || return 0
	mbedtls_tar=$(echo "$work"/fetched-mbedtls/mbedtls_*.orig.tar.*[2z])
	mbedtls_from="mbedtls $best ($1)"
}

# The generated C is in a binary package of its own from forky on; trixie has a library ready to link, which asks
# nothing of a particular libc.
fetch_llhttp() { # SUITE : sets llhttp_dir, llhttp_from
	local name version
	for name in libllhttp-source libllhttp-dev; do
		version=$(apt_private apt-cache show $name 2>/dev/null | awk '/^Version:/ && !v { v = $2 } END { print v }') || true
		if [ -z "$version" ] || ! within "$version" $llhttp_min $llhttp_below; then continue; fi
		private_dir "$work/fetched-llhttp"
		(cd "$work/fetched-llhttp" && apt_private apt-get download "$name=$version") >>"$work/log" 2>&1 || continue
		dpkg-deb -x "$work"/fetched-llhttp/$name*.deb "$work/llhttp"
		llhttp_dir=$work/llhttp
		llhttp_from="llhttp $version ($1, $name)"
		return
	done
}

fetch_sources() {
	local suite
	site=$(archive)
	[ -n "$site" ] || die "no Debian archive among this machine's apt sources; give --mbedtls and --llhttp"
	keys=$(keyring) || exit 1
	for suite in $suites; do
		[ -z "$mbedtls_tar" ] || [ -z "$llhttp_dir" ] || return 0
		if ! open_suite "$suite"; then
			say "suite $suite cannot be used: $(sed -n 's/^E: //p' "$work/log" | head -n 1 | sed 's#[a-z]*://[^ ]*/##')"
			continue
		fi
		[ -n "$mbedtls_tar" ] || fetch_mbedtls "$suite"
		[ -n "$llhttp_dir" ] || fetch_llhttp "$suite"
	done
	[ -n "$mbedtls_tar" ] || die "no mbedTLS from $mbedtls_min to before $mbedtls_below in: $suites"
	[ -n "$llhttp_dir" ] || die "no llhttp from $llhttp_min to before $llhttp_below in: $suites"
}

# ---- sources: tarballs --------------------------------------------------------------------------------------------

check_tarball() { # FILE : prints the release it is
	local sum name
	[ -r "$1" ] || die "$1: cannot be read"
	sum=$(sha256sum <"$1" | cut -d ' ' -f 1)
	name=$(sed -n "s/^$sum //p" <<<"$known_sha256")
	if [ -z "$name" ] && [ $trust_tarballs = no ]; then
		die "$1: SHA-256 $sum is not that of a release this script knows; --trust-tarballs takes it all the same"
	fi
	echo "${name:-$(basename "$1"), SHA-256 $sum, on your word}"
}

use_tarballs() {
	if [ -n "$mbedtls_file" ]; then
		mbedtls_from=$(check_tarball "$mbedtls_file") || exit 1
		mbedtls_tar=$mbedtls_file
	fi
	if [ -n "$llhttp_file" ]; then
		llhttp_from=$(check_tarball "$llhttp_file") || exit 1
		llhttp_dir=$work/llhttp
		mkdir -p "$llhttp_dir/usr/src/llhttp"
		tar -xf "$llhttp_file" -C "$llhttp_dir/usr/src/llhttp" --strip-components=1
	fi
}

# ---- build, into $work/new as if it were $prefix ------------------------------------------------------------------

# Our replacement of mbedTLS's GCM needs its state in mbedTLS's own structures.  Only where its instructions exist.
gcm_header=$tree/lib/tls/gcm_alt.h
use_gcm_alt() { [ $want_accel = yes ] && [ -f "$gcm_header" ] && [ "$(uname -m)" = x86_64 ]; }

build_mbedtls() {
	local source=$work/mbedtls config
	mkdir -p "$source"
	tar -xf "$mbedtls_tar" -C "$source" --strip-components=1
	config=$source/include/mbedtls/mbedtls_config.h
	cat "$tree/packaging/mbedtls-config.h" >>"$config" # the installed header carries the choices to all who include it
	mkdir -p "$work/new$prefix/include"
	if use_gcm_alt; then
		echo '#define MBEDTLS_GCM_ALT' >>"$config"
		cp "$gcm_header" "$source/include/"
		cp "$gcm_header" "$work/new$prefix/include/"
	fi
	# HACL*'s X25519 is loops of five words: unrolled and not made vectors of it takes less than half of the time.
	# shellcheck disable=SC2016  # CMake expands it
	echo 'target_compile_options(${everest_target} PRIVATE -O3 -fno-tree-vectorize)' >>"$source/3rdparty/everest/CMakeLists.txt"
	if ! {
		cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$cflags" \
			-DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DUSE_SHARED_MBEDTLS_LIBRARY=OFF \
			-DENABLE_PROGRAMS=OFF -DENABLE_TESTING=OFF -DMBEDTLS_FATAL_WARNINGS=OFF &&
			cmake --build "$source/build" &&
			DESTDIR=$work/new cmake --install "$source/build"
	} >"$work/log" 2>&1; then
		tail -n 40 "$work/log" >&2
		die "mbedTLS did not build"
	fi
}

build_llhttp() { # three files of C: no need for its CMakeLists.txt, which wants a C++ compiler
	local source=$llhttp_dir/usr/src/llhttp lib=$work/new$prefix/lib header name
	mkdir -p "$lib/pkgconfig" "$work/new$prefix/include"
	if [ -d "$source" ]; then
		header=$source/include/llhttp.h
		for name in llhttp http api; do
			# shellcheck disable=SC2086  # $cflags is a list
			cc $cflags -I"$source/include" -c "$source/src/$name.c" -o "$work/$name.o" || die "llhttp did not build"
		done
		ar rcs "$lib/libllhttp.a" "$work"/{llhttp,http,api}.o
	else
		header=$llhttp_dir/usr/include/llhttp.h
		cp "$llhttp_dir"/usr/lib/*/libllhttp.a "$lib/"
	fi
	cp "$header" "$work/new$prefix/include/"
	cat >"$lib/pkgconfig/libllhttp.pc" <<-END
		libdir=$prefix/lib
		includedir=$prefix/include

		Name: libllhttp
		Description: HTTP/1 parser
		Version: $(awk '/^#define LLHTTP_VERSION_/ { printf "%s%s", dot, $3; dot = "." }' "$header")
		Libs: -L\${libdir} -lllhttp
		Cflags: -I\${includedir}
	END
}

# A binary with these linked in has to come with their licences; packaging/sbom.sh collects them.
keep_licences() {
	local to=$work/new$prefix/share/licenses file
	mkdir -p "$to/mbedtls" "$to/llhttp"
	cp "$work/mbedtls/LICENSE" "$to/mbedtls/"
	for file in "$llhttp_dir"/usr/src/llhttp/LICENSE* "$llhttp_dir"/usr/share/doc/libllhttp-*/copyright; do
		[ ! -f "$file" ] || cp "$file" "$to/llhttp/"
	done
}

# What the result depends on.  Functions are hashed as bash prints them, so a comment changed here rebuilds nothing.
recipe() {
	{
		declare -f build_mbedtls build_llhttp keep_licences
		echo "$prefix $cflags $suites"
		cat "$tree/packaging/mbedtls-config.h" "${mbedtls_file:-/dev/null}" "${llhttp_file:-/dev/null}"
		! use_gcm_alt || cat "$gcm_header"
		cc --version
	} | sha256sum | cut -d ' ' -f 1
}

install_private() {
	local stamp=$prefix/.stamp recipe tool
	for tool in cc cmake ninja ar tar bzip2; do
		command -v $tool >/dev/null || die "$tool is missing: run without --no-system, as root, or see packaging/README.md"
	done
	recipe=$(recipe)
	if [ -f "$stamp" ] && [ "$(sed -n 1p "$stamp")" = "$recipe" ]; then
		say "up to date in $prefix: $(sed -n 2p "$stamp")"
		return
	fi
	if [ ! -f "$stamp" ] && [ -n "$(ls -A "$prefix" 2>/dev/null)" ]; then
		die "$prefix holds something this script did not put there"
	fi
	work=$(mktemp -d "${TMPDIR:-/tmp}/deps.XXXXXX")
	chmod 755 "$work" # apt's sandbox user has to pass
	use_tarballs
	if [ -z "$mbedtls_tar" ] || [ -z "$llhttp_dir" ]; then fetch_sources; fi
	say "building $mbedtls_from, $llhttp_from"
	build_mbedtls
	build_llhttp
	keep_licences
	rm -rf "$prefix"
	mkdir -p "$(dirname "$prefix")"
	mv "$work/new$prefix" "$prefix"
	printf '%s\n%s, %s\n' "$recipe" "$mbedtls_from" "$llhttp_from" >"$stamp"
	say "installed in $prefix: $mbedtls_from, $llhttp_from"
	case $mbedtls_from in
	*"$mbedtls_min"*) say "note: this mbedTLS lacks fixes of $mbedtls_good that matter in an enclave (see packaging/README.md)" ;;
	esac
}

# ---- command line ---------------------------------------------------------------------------------------------------

value() { [ $# -ge 2 ] || die "$1 needs a value"; }
while [ $# -gt 0 ]; do
	case $1 in
	--no-tests) want_tests=no ;;
	--bench) want_bench=yes ;;
	--enclave-tests) want_vm=yes ;;
	--enclave-tests-quick) want_vm=quick ;;
	--no-system) want_system=no ;;
	--no-accel) want_accel=no ;;
	--trust-tarballs) trust_tarballs=yes ;;
	--prefix) value "$@" && prefix=$(realpath -m "$2") && shift ;;
	--suites) value "$@" && suites=$2 && shift ;;
	--mbedtls) value "$@" && mbedtls_file=$(realpath "$2") && shift ;;
	--llhttp) value "$@" && llhttp_file=$(realpath "$2") && shift ;;
	--help | -h) usage && exit ;;
	*) die "unknown option $1 (--help lists them)" ;;
	esac
	shift
done

our_policy=no work='' site='' keys='' mbedtls_tar='' mbedtls_from='' llhttp_dir='' llhttp_from=''
leave() {
	[ -z "$work" ] || rm -rf "$work"
	[ $our_policy = no ] || as_root rm -f $policy
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ $want_system = no ] || install_system
install_private
if [ $want_vm != no ]; then
	# shellcheck source=packaging/deps-vm.sh
	. "$tree/packaging/deps-vm.sh"
	install_enclave_tests
fi
