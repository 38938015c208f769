#!/bin/bash
# Fails when SECURITY.md or tests/README.md names a test that is not there, a threat without a test, or a fault of the
# 35 without one. Tests are written `tests/DIR/FILE`, in tests/README.md `DIR/FILE` as well, with `::FUNCTION` behind
# a file where one function is meant.
set -u
cd "$(dirname "$0")/.." || exit 2
status=0

complain() {
	echo "documents: $*" >&2
	status=1
}

# defined FILE FUNCTION: in Python or C
defined() {
	grep -qE "^(def|static void) $2\(" "$1"
}

# named DOCUMENT PREFIX: every `path` or `path::function` in it
named() {
	local path function name
	# shellcheck disable=SC2016  # the backticks are Markdown's
	grep -oE '`[A-Za-z0-9_./-]+\.(py|sh|c)(::[a-z0-9_]+)?`|`tests/[a-z_/]+`' "$1" | tr -d '`' | sort -u |
		while read -r name; do
			path=${name%%::*} function=
			[[ $name == *::* ]] && function=${name##*::}
			[[ $path == */* ]] || path=$(find tests packaging -name "$path" | head -1)
			[[ -e $path ]] || path=$2$path
			if [[ ! -e $path ]]; then
				echo "$1 names $name, which is not there"
			elif [[ $function ]] && ! defined "$path" "$function"; then
				echo "$1 names $name: no such function in that file"
			fi
		done
}

for document in SECURITY.md tests/README.md; do
	missing=$(named "$document" tests/)
	[[ -z $missing ]] || complain "$missing"
done

# The rows of a table below a heading, without its first two lines.
rows() {
	awk -v heading="$2" '$0 == heading { on = 1; next } on && /^#/ { exit } on && /^\|/ && ++n > 2' "$1"
}

threats=0
while IFS='|' read -r _ threat _ test _; do
	threats=$((threats + 1))
	[[ $test == *'`tests/'* ]] || complain "no test attacks the threat '$threat'"
done < <(rows SECURITY.md '## Threats, and the test that attacks each')
((threats >= 15)) || complain "SECURITY.md has only $threats threats"

fault=0
while IFS='|' read -r _ number _ test _; do
	fault=$((fault + 1))
	((number == fault)) || complain "fault $fault is missing: $number stands in its place"
	[[ $test == *'::'* || $test == *'.py`'* ]] || complain "fault $number has no test"
done < <(rows tests/README.md '### One by one')
((fault == 35)) || complain "tests/README.md has $fault faults, not 35"
exit $status
