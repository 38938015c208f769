#!/bin/bash
# Static analysis of what is shipped: `tests/lint.sh BUILD_DIRECTORY [FILE..]`. The directory is one that CMake has
# configured (build/dev): its compile_commands.json says how each file is compiled. Any finding is a failure.
#
#   clang-tidy    bugprone, cert, clang-analyzer: .clang-tidy says what is off and why
#   cppcheck      warning, portability, performance; not syntax, for 2.10 does not know __VA_OPT__
#   gcc -fanalyzer  of the layers in which it has nothing wrong to say: it does not know that mem_alloc never fails
#                 and takes intrusive lists for leaks, so it is run on what parses and holds no list
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(cd "${1:?which build directory?}" && pwd)
shift
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files 'lib/*.c' 'cmd/*.c')
status=0
step() {
	printf '%-14s %s\n' "$1" "$2"
	shift 2
	"$@" || status=1
}

tidy() {
	printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet 2>/dev/null
}
check() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability,performance -j "$(nproc)" \
		-I lib -D_GNU_SOURCE -D__x86_64__ '-DNP_VERSION="0"' --suppress=missingIncludeSystem \
		--suppress=normalCheckLevelMaxBranches --suppress=syntaxError --suppress=unknownMacro "${files[@]}"
}
analyze() {
	local file found=0
	for file in "${files[@]}"; do
		case $file in
		lib/base/quote.c | lib/base/span.c | lib/base/sandbox*.c | lib/http/parse*.c | lib/http/target.c | lib/net/ip*.c | \
			lib/net/hostname.c | lib/net/frame.c | lib/nsm/cbor*.c | lib/proxy/tunnel_message.c | lib/tls/der.c | cmd/systemd.c)
			gcc -fanalyzer -Werror -O1 -std=gnu11 -D_GNU_SOURCE -Ilib -isystem .deps/include -S -o /dev/null "$file" || found=1
			;;
		esac
	done
	return $found
}

command -v clang-tidy >/dev/null && step clang-tidy "${#files[@]} files" tidy
command -v cppcheck >/dev/null && step cppcheck "${#files[@]} files" check
step 'gcc -fanalyzer' 'what parses' analyze
[ $status = 0 ] && echo 'lint: nothing found'
exit $status
