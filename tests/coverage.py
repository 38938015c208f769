#!/usr/bin/python3
"""
What the tests run so far have executed of lib and cmd: `coverage.py BUILD_DIRECTORY [--missing]`, a row a directory,
lines and branches; --missing adds the files by what they lack. The directory is one built with NP_COVERAGE (build/dev).
--reset forgets what was counted.

A branch counts when it was taken at least once in each direction that the compiler left. UBSan's checks are a few of
the branches (3 % in a parser) and are never taken; a role that is killed leaves no counts, one that ends does.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent


def data_files(build):
    return sorted(str(f) for f in (build / "CMakeFiles").rglob("*.gcda"))


def reports(files, gcov):
    """gcov's own, one JSON document an object file."""
    run = subprocess.run([gcov, "--json-format", "--stdout", "--branch-probabilities", *files], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return (json.loads(line) for line in run.stdout.splitlines() if line)


def counted(build, gcov):
    """{file: ({line: times}, {(line, number): times})}; a header counts once, however many include it."""
    lines, branches = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for report in reports(data_files(build), gcov):
        for file in report["files"]:
            path = pathlib.Path(report["current_working_directory"], file["file"]).resolve()
            if not path.is_relative_to(TREE) or path.relative_to(TREE).parts[0] not in ("lib", "cmd"):
                continue
            name = str(path.relative_to(TREE))
            for line in file["lines"]:
                lines[name][line["line_number"]] += line["count"]
                for number, branch in enumerate(line["branches"]):
                    branches[name][line["line_number"], number] += branch["count"]
    return {name: (lines[name], branches[name]) for name in lines}


def share(counters):
    total = sum(len(c) for c in counters)
    hit = sum(1 for c in counters for times in c.values() if times)
    return hit, total, 100 * hit / total if total else 100


def row(name, counts):
    hit, total, percent = share([lines for lines, _ in counts])
    taken, ways, of_ways = share([branches for _, branches in counts])
    print(f"{name:28} {percent:5.1f} % of {total:6} lines   {of_ways:5.1f} % of {ways:6} branches")
    return total - hit + ways - taken


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--missing", action="store_true")
    p.add_argument("--reset", action="store_true")
    options = p.parse_args()
    if options.reset:
        for file in options.build.rglob("*.gcda"):
            file.unlink()
        return
    if not data_files(options.build):
        sys.exit(f"{options.build}: nothing was counted (built without NP_COVERAGE, or nothing has run)")
    files = counted(options.build, os.environ.get("GCOV", "gcov"))
    directories = collections.defaultdict(list)
    for name, counts in files.items():
        directories[os.path.dirname(name)].append(counts)
    for name in sorted(directories):
        row(name, directories[name])
    row("together", list(files.values()))
    if options.missing:
        for name, (lines, _) in sorted(files.items(), key=lambda f: -sum(1 for n in f[1][0].values() if not n))[:30]:
            print(f"{sum(1 for n in lines.values() if not n):5} lines of {name} were not run")


if __name__ == "__main__":
    main()
