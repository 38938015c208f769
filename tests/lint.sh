#!/bin/bash
# Static analysis of what is shipped: `tests/lint.sh [--deep] BUILD_DIRECTORY [FILE..]`. The directory is one that CMake
# has configured (build/dev): its compile_commands.json says how each file is compiled. Any finding is a failure; a tool
# that is not installed is left out and named; exit 77 when none is.
#
#   clang-tidy      bugprone, cert, clang-analyzer: .clang-tidy says what is off and why
#   cppcheck        warning, portability, performance
#   gcc -fanalyzer
#
# clang's analyzer gives a function up after max-nodes states. A tenth of its default takes a quarter of the time and
# has found all that the default found so far; --deep is the default.
# shellcheck disable=SC2317  # functions that step calls by name
set -euo pipefail
cd "$(dirname "$0")/.."
nodes=20000
if [ "${1-}" = --deep ]; then
	nodes=225000
	shift
fi
build=$(cd "${1:?which build directory?}" && pwd)
shift
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(printf '%s\n' lib/*/*.c cmd/*.c)
facts=$PWD/tests/lint_facts.h

parallel() { xargs -r -d '\n' -n 1 -P "$(nproc)" "$@"; }

# error.c defines what the facts are about.
with_facts() { printf '%s\n' "${files[@]}" | sed '\|^lib/base/error.c$|d'; }
without_facts() { printf '%s\n' "${files[@]}" | sed -n '\|^lib/base/error.c$|p'; }

tidy() {
	local call=(clang-tidy -p "$build" --quiet) arg
	for arg in -Xclang -analyzer-config -Xclang "max-nodes=$nodes"; do call+=("--extra-arg=$arg"); done
	with_facts | parallel "${call[@]}" --extra-arg=-include "--extra-arg=$facts" 2>/dev/null || return 1
	without_facts | parallel "${call[@]}" 2>/dev/null
}

# Not its errors: 2.10 knows neither __VA_OPT__ nor what is an #error of ours for want of a compiler's macros.
check() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability,performance -j "$(nproc)" \
		-I lib -D_GNU_SOURCE -D__x86_64__ '-DNP_VERSION="0"' --suppress=missingIncludeSystem \
		--suppress=normalCheckLevelMaxBranches --suppress=syntaxError --suppress=unknownMacro \
		--suppress=preprocessorErrorDirective "${files[@]}"
}

# Not p256_order.c: gcc 12 does not know that _addcarry_u64 and _subborrow_u64 write their result.
analyze() {
	local call=(gcc -fanalyzer -Werror -O1 -std=gnu11 -D_GNU_SOURCE '-DNP_VERSION="0"' -Ilib -Icmd -isystem .deps/include
		-S -o /dev/null)
	with_facts | sed '\|^lib/tls/p256_order.c$|d' | parallel "${call[@]}" -include "$facts" || return 1
	without_facts | parallel "${call[@]}"
}

status=0 ran=0
step() { # TOOL FUNCTION
	local start=$SECONDS
	command -v "$1" >/dev/null || {
		echo "lint: $1 is not installed: left out"
		return 0
	}
	ran=$((ran + 1))
	"$2" || status=1
	echo "lint: $1, ${#files[@]} files, $((SECONDS - start)) s"
}
step clang-tidy tidy
step cppcheck check
step gcc analyze
[ $ran -gt 0 ] || exit 77
[ $status = 0 ] && echo 'lint: nothing found'
exit $status
