# SPDX-License-Identifier: Apache-2.0
#
# Runs ovsdbapp's own functional tests, which its package brings, and prints a line for each: its outcome and its name.
#
#     ovsdbapp_tests.py --jobs 2 --part 1/2
#
# Part 1/2 is every second test of the sorted list, from the second on, so that a day's run is short and two days' have them all.
# Classes are shared out among processes; the tests of a class have servers of their own in a directory of their own.

import argparse
import collections
import importlib
import multiprocessing
import pkgutil
import sys
import traceback
import unittest

import ovsdbapp.tests.functional as functional



class Outcomes(unittest.TestResult):
    """Prints what became of each test as soon as that is known; the reason of a failure goes to standard error."""

    def say(self, outcome, test):
        print(outcome, test.id(), flush=True)

    def addSuccess(self, test, *arguments, **details):
        self.say("passed", test)

    def addSkip(self, test, *arguments, **details):
        self.say("skipped", test)

    def addExpectedFailure(self, test, *arguments, **details):
        self.say("passed", test)

    def addUnexpectedSuccess(self, test, *arguments, **details):
        self.say("failed", test)

    def addFailure(self, test, *arguments, **details):
        self.failed(test, arguments, details)

    addError = addFailure

    def failed(self, test, arguments, details):
        self.say("failed", test)
        print(f"--- {test.id()}", file=sys.stderr)
        for error in arguments:
            if isinstance(error, tuple) and len(error) == 3:
                traceback.print_exception(*error)
        for name, content in details.get("details", {}).items():
            if name.startswith("traceback"):
                print(content.as_text(), file=sys.stderr)
        sys.stderr.flush()


def cases(suite):
    for member in suite:
        if isinstance(member, unittest.TestSuite):
            yield from cases(member)
        else:
            yield member


def load():
    loader = unittest.TestLoader()
    found = {}
    for module in pkgutil.walk_packages(functional.__path__, functional.__name__ + "."):
        if module.name.rsplit(".", 1)[-1].startswith("test_"):
            for case in cases(loader.loadTestsFromModule(importlib.import_module(module.name))):
                found[case.id()] = case
    return [found[name] for name in sorted(found)]


def run(names):
    loader = unittest.TestLoader()
    loader.loadTestsFromNames(names).run(Outcomes())


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--part", default="0/1", help="INDEX/COUNT: every COUNTth test, from INDEX on")
    chosen = options.parse_args()
    index, count = (int(word) for word in chosen.part.split("/"))
    names = [case.id() for case in load()][index::count]
    # Each process imports for itself: the library keeps connections in variables of its modules.
    with multiprocessing.get_context("spawn").Pool(chosen.jobs, maxtasksperchild=1) as pool:
        pool.map(run, shares(names), chunksize=1)


def shares(names):
    """The names by class, as each class keeps one connection for all its tests; the largest first."""
    classes = collections.defaultdict(list)
    for name in names:
        classes[name.rsplit(".", 1)[0]].append(name)
    return sorted(classes.values(), key=len, reverse=True)


if __name__ == "__main__":
    main()
