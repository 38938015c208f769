#!/bin/bash
# dev-test.sh - all tests, build by build; sourced by dev.sh, whose functions it uses.  What CI runs is this.
#
#   build      compiled with              suites (tests/README.md says what is in each)
#   dev        gcc, ASan, UBSan, counted  unit lint fuzz integration security enclave bench images
#   static     gcc, as in an enclave      what enclave boots
#   release    gcc -O3, hardened          soak cost, and of security what sanitizers stand in the way of
#   fuzz       clang, libFuzzer           fuzz: 20 s of new input each
#   tsan       gcc, ThreadSanitizer       threads
# shellcheck disable=SC2154  # dev.sh's variables

suites=(unit lint fuzz integration security enclave soak cost threads bench images)
suite='' # the only one asked for
failed=()

wanted() { # SUITE... : whether one of them is asked for
	[ -z "$suite" ] || [[ " $* " == *" $suite "* ]]
}

# Goes on when something fails: a red lint is no reason to know nothing of the rest.
stage() { # PRESET [CTEST_OPTION...]
	local log=$tree/build/$1/Testing/Temporary/LastTest.log
	[ -z "$suite" ] || set -- "$@" -L "^$suite\$"
	say "tests of build/$1"
	# One more than there are processors: tests wait about as much as they work.
	(cd "$tree" && ctest --preset "$1" -j "$(($(nproc) + 1))" "${@:2}") || failed+=("$1")
	# What tests that pass have to say is in ctest's log alone: what was skipped and why, and figures.
	[ ! -f "$log" ] || sed -n '/^SKIPPED \[/p; /^skipped: /p; /^figure: /p' "$log"
}

run_tests() { # [--suite NAME]
	case ${1-} in
	'') ;;
	--suite)
		suite=${2-}
		[[ -n $suite && " ${suites[*]} " == *" $suite "* ]] || die "no such suite: '$suite'; there are: ${suites[*]}"
		;;
	*) die "unknown option $1" ;;
	esac
	[ "$suite" != images ] || export NP_IMAGES=1

	mkdir -p "$tree/build"
	if wanted enclave; then
		# What tests/enclave boots, as far as it is quickly had; the rest of that suite is skipped and says why.
		deps --enclave-tests-quick
		build static
	else
		deps
	fi
	if wanted unit lint fuzz integration security enclave bench images; then
		build dev
		"$tree/tests/coverage.py" --reset "$tree/build/dev"
		stage dev
	fi
	if wanted security soak cost; then
		build release nitroproxy fail_alloc short_writes bad_nsm
		stage release -L '^release$'
	fi
	if wanted threads; then
		build tsan
		stage tsan
	fi
	if wanted fuzz; then
		build fuzz
		stage fuzz
	fi
	if [ -z "$suite" ]; then
		say "what the tests of build/dev have run"
		"$tree/tests/coverage.py" "$tree/build/dev" || failed+=(coverage)
	fi
	[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
}
