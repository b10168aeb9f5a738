# SPDX-License-Identifier: Apache-2.0
"""What the tests of a build said: how many passed, and for what reason each of those that could not run was left out.

    python3 -B test/report.py RESULTS.xml

RESULTS.xml is what ctest writes (JUnit).  The last line counts programs, as ctest does; before it stands how many cases
they had.  Ends with 1 if one failed or none ran.
"""

import re
import sys
import xml.etree.ElementTree

# A case that passed, counted by a program of ours: doctest's summary, unittest's.
CASES = (r"test cases: +\d+ \| +(\d+) passed", r"^Ran (\d+) tests?\b")
# Left out with a reason: a script as a whole, a case of a script, a suite of a program.
REASONS = (r"^cannot run here: (.+)", r"\.\.\. skipped ['\"](.+)['\"]$", r"\bMESSAGE: skipped: (.+)")


def found(patterns, text):
    return [hit for pattern in patterns for hit in re.findall(pattern, text, re.MULTILINE)]


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} RESULTS.xml")
    counts, cases, left_out = {"passed": 0, "failed": 0, "skipped": 0}, 0, []
    for test in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
        name, text = test.get("name"), test.findtext("system-out") or ""
        verdict = {"run": "passed", "notrun": "skipped"}.get(test.get("status"), "failed")
        if verdict == "skipped" and test.find("skipped").get("message") != "SKIP_RETURN_CODE=77":
            verdict = "failed"  # a program that is not there
        counts[verdict] += 1
        reasons = dict.fromkeys(found(REASONS, text))
        cases += sum(map(int, found(CASES, text))) - len(re.findall(r"\.\.\. skipped ", text))
        if verdict == "failed":
            print(f"FAILED {name}")
        elif verdict == "skipped" or reasons:
            what = "skipped" if verdict == "skipped" else "partly skipped"
            left_out.append(f"{what} {name}: {'; '.join(reasons) or 'it does not say why'}")
    print(*left_out, f"{cases} cases passed in {sum(counts.values())} tests", sep="\n")
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
    sys.exit(1 if counts["failed"] or not counts["passed"] else 0)


if __name__ == "__main__":
    main()
