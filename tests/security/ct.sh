#!/bin/bash
# ct.sh - no branch and no address in our AES-GCM depends on keys or plaintext, in our SHA-256 on the message, in X25519 as
# we have it compiled on scalars.
#
#   ct.sh CC DEPS     the C compiler, and the directory deps.sh built mbedTLS in
#
# Builds ct_*.c with a release's optimisation (a sanitised build cannot run under Valgrind) and runs them there, path by
# path.  Valgrind knows neither VAES nor SHA-NI: the two wide paths of GCM are the AES-NI path's operations in wider
# registers, and SHA-256's x86 path has no branch but on the number of blocks; they are not covered.  Exit 77: skipped,
# with the reason.
set -euo pipefail
export LC_ALL=C

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cc=$1 deps=$2

skip() {
	echo "skipped: $*"
	exit 77
}
command -v valgrind >/dev/null || skip "no valgrind"
[ -f "$deps/include/gcm_alt.h" ] || skip "mbedTLS was built with its own GCM"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cc" -std=gnu11 -D_GNU_SOURCE -O3 -gdwarf-4 -I"$tree/lib" -I"$deps/include" -o "$work/ct_gcm" \
	"$tree/tests/security/ct_gcm.c" "$tree"/lib/tls/gcm*.c "$deps/lib/libmbedcrypto.a"

"$cc" -std=gnu11 -D_GNU_SOURCE -O3 -gdwarf-4 -I"$tree/lib" -I"$deps/include" -o "$work/ct_sha256" \
	"$tree/tests/security/ct_sha256.c" "$tree"/lib/tls/sha256*.c "$deps/lib/libmbedcrypto.a"
"$cc" -std=gnu11 -O3 -gdwarf-4 -o "$work/ct_x25519" "$tree/tests/security/ct_x25519.c" "$deps/lib/libeverest.a"

memcheck() { (cd "$work" && valgrind -q --error-exitcode=9 "./$1" "${@:2}"); }

for program in ct_gcm ct_sha256 ct_x25519; do
	if memcheck $program --leak >"$work/leak" 2>&1; then
		echo "$program: a branch on a secret byte went unnoticed: this check proves nothing here"
		exit 1
	fi
done
memcheck ct_x25519 || { echo "x25519: timing depends on secrets (see above)" && exit 1; }
echo "x25519: constant time"
ran=0
for case in gcm:vaes512 gcm:vaes gcm:aesni gcm:portable sha256:shani sha256:portable; do
	status=0
	memcheck "ct_${case%:*}" "${case#*:}" || status=$?
	case $status in
	0) echo "$case: constant time" && ran=$((ran + 1)) ;;
	2) echo "$case: not under this Valgrind" ;;
	*) echo "$case: timing depends on secrets (see above)" && exit 1 ;;
	esac
done
[ $ran -gt 0 ] || skip "no path runs under this Valgrind"
