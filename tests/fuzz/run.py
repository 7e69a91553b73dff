#!/usr/bin/env python3
"""Runs the fuzz targets, one after the other.

    tests/fuzz/run.py [--seconds N] [TARGET...]     looks for something new, this long for each (make fuzz)
    tests/fuzz/run.py --replay [TARGET...]          plays every seed and everything that was ever found, and nothing
                                                    by chance (the suite of make check)

ONLY chooses targets by name.

Seeds come from seeds.py; what is interesting is kept in build/fuzz/corpus/TARGET and begun with the next time.
A finding is left in build/fuzz/findings. Once it is understood it moves to tests/fuzz/found/TARGET, under a
name that says what it is.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys

import seeds

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from common import JOBS, ROOT, chosen  # noqa: E402

BUILD = "build/fuzz"
FUZZER = f"{BUILD}/fuzz"
REPLAY = f"{BUILD}/replay"                         # the same, quicker to compile
FINDINGS = f"{BUILD}/findings"
FOUND = "tests/fuzz/found"

# How long an input may grow: what is found in longer ones is found in short ones, and sooner.
LONGEST = {"websocket": 2000, "http": 1500, "route": 400, "session": 400, "server": 600, "program": 300}


def run(arguments, program=FUZZER):
    """Runs the fuzzer; returns its output, and whether it found nothing."""
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    done = subprocess.run([program, *arguments], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode("utf-8", "replace"), done.returncode == 0


def tail(output, lines=50):
    """The end of an output, from where it says what is wrong, without what is the fuzzer's own."""
    begin = [output.rfind(mark) for mark in ("\nBROKEN:", "Assertion ", "ERROR:", "runtime error:") if mark in output]
    text = output[min(begin) if begin else -6000:].split("NOTE: libFuzzer")[0].strip()
    return "\n".join([line for line in text.split("\n") if " in fuzzer::" not in line][:lines])


def files_of(folder):
    return sorted(path for path in glob.glob(os.path.join(folder, "*")) if os.path.isfile(path))


def flags_of(target):
    flags = [target, f"-max_len={LONGEST.get(target, 1000)}", "-timeout=20", "-print_funcs=0", "-rss_limit_mb=2000", f"-artifact_prefix={FINDINGS}/{target}-"]
    if target == "program":  # an input comes by so much that to weigh it takes longer than to run it
        flags.append("-entropic=0")
    dictionary = f"{BUILD}/seeds/{target}.dict"
    return flags + ([f"-dict={dictionary}"] if os.path.exists(dictionary) else [])


def show(target, output):
    print(tail(output))
    for artifact in re.findall(r"Test unit written to (\S+)", output):
        print(f"FOUND by {target}: {artifact}\n    again:   {FUZZER} {target} {artifact}\n"
              f"    smaller: {FUZZER} {target} -minimize_crash=1 -runs=100000 -exact_artifact_path={artifact}.small {artifact}", flush=True)


def search(target, seconds):
    """Fuzzes; returns a row of figures, and the number of findings."""
    corpus = f"{BUILD}/corpus/{target}"
    os.makedirs(corpus, exist_ok=True)
    begin = [folder for folder in (f"{BUILD}/seeds/{target}", f"{FOUND}/{target}") if files_of(folder)]
    output, good = run([*flags_of(target), f"-max_total_time={seconds}", "-print_final_stats=1", corpus, *begin])
    runs = re.search(r"stat::number_of_executed_units: (\d+)", output)
    coverage = re.findall(r"cov: (\d+) ft: (\d+)", output)
    if not good:
        show(target, output)
    edges, features = coverage[-1] if coverage else ("-", "-")
    print(f"{target:10} {runs.group(1) if runs else '-':>12} {edges:>8} {features:>9} {len(files_of(corpus)):>7} {0 if good else 1:>9}", flush=True)
    return 0 if good else 1


def replay(target):
    """Plays what there is; returns how much of it passed and failed."""
    inputs = files_of(f"{BUILD}/seeds/{target}") + files_of(f"{FOUND}/{target}")
    passed = failed = 0
    output, good = run([*flags_of(target), *inputs], REPLAY) if inputs else ("", True)
    if good:
        passed = len(inputs)
    else:  # which ones?
        for path in inputs:
            output, good = run([*flags_of(target), path], REPLAY)
            passed, failed = passed + good, failed + (not good)
            if not good:
                print(f"FAILED: {REPLAY} {target} {path}\n{tail(output)}", flush=True)
    print(f"{target:10} {len(inputs)} inputs{': FAILED' if failed else ''}", flush=True)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description="Runs the fuzz targets.")
    parser.add_argument("--replay", action="store_true", help="play seeds and what was found")
    parser.add_argument("--seconds", type=int, default=60, help="how long for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(seeds.TARGETS))
    options = parser.parse_args()
    unknown = set(options.targets) - set(seeds.TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(seeds.TARGETS)}")
    os.chdir(ROOT)
    os.makedirs(FINDINGS, exist_ok=True)
    shutil.rmtree(f"{BUILD}/seeds", ignore_errors=True)
    seeds.write(f"{BUILD}/seeds")
    targets = options.targets or [target for target in seeds.TARGETS if chosen(target)]

    if options.replay:
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            counts = list(pool.map(replay, targets))
        passed, failed = (sum(column) for column in zip(*counts)) if counts else (0, 0)
        print(f"\n{passed} passed, {failed} failed", flush=True)
        return 1 if failed else 0

    print("target       executions    edges  features  corpus  findings", flush=True)
    return 1 if sum(search(target, options.seconds) for target in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
