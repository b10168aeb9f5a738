# SPDX-License-Identifier: Apache-2.0
"""The scripts of `packaging`, in a tree of their own and with stand-ins for what installs and compiles: who runs what,
what is copied, and what they say when they cannot go on.
"""

import os
import shutil
import stat
import subprocess

import probe

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ROOT = os.geteuid() == 0
NOBODY = 65534
# What cmake and ctest would leave: one test that passed, one that could not run, one that could run in part.
RESULTS = """<testsuite>
<testcase name="good" status="run"><system-out>[doctest] test cases:  7 |  7 passed | 0 failed | 2 skipped
</system-out></testcase>
<testcase name="away" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>cannot run here: no wire
</system-out></testcase>
<testcase name="part" status="{part}"><system-out>test_x (m.T.test_x) ... skipped 'no tool'
Ran 3 tests in 1.0s
</system-out></testcase>
</testsuite>"""


class Tree(probe.Case):
    """A copy of the scripts, with a folder of stand-ins that are found before the real tools."""

    def setUp(self):
        super().setUp()
        self.tree = self.path("a tree")
        shutil.copytree(os.path.join(SOURCE, "packaging"), os.path.join(self.tree, "packaging"))
        os.mkdir(os.path.join(self.tree, "test"))
        shutil.copy(os.path.join(SOURCE, "test/report.py"), os.path.join(self.tree, "test"))
        self.stand_ins = self.path("bin")
        os.mkdir(self.stand_ins)
        self.path("calls", "")
        for writable in (self.folder, self.calls()):
            os.chmod(writable, 0o777)

    def stand_in(self, name, script):
        call = f"echo {name} $(id -u) \"$@\" >> '{self.calls()}'"
        path = self.path(os.path.join("bin", name), f"#!/bin/sh\n{call}\n{script}\n")
        os.chmod(path, 0o755)

    def calls(self):
        return self.path("calls")

    def called(self, name):
        with open(self.calls(), encoding="utf-8") as file:
            return [line.split() for line in file if line.startswith(name + " ")]

    def builds(self, part="run"):
        """What cmake leaves behind."""
        results = self.path("results", RESULTS.format(part=part))
        os.chmod(results, 0o644)
        self.stand_in("cmake", f"cp '{results}' build/release/tests.xml")

    def script(self, name, *arguments, user=None):
        """Runs it without a terminal; by `user` if that is not us."""
        prefix = () if user is None else ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
        return subprocess.run(
            [*prefix, os.path.join(self.tree, "packaging", name), *arguments],
            env={**probe.clean_environment(), "PATH": f"{self.stand_ins}:{os.environ['PATH']}", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=probe.LIMIT,
            start_new_session=True,
            check=False,
        )


class Check(Tree):
    def caller(self):
        """Somebody who is not root, and may write the tree: ourselves, or nobody."""
        if not ROOT:
            return None
        for at, _, names in os.walk(self.folder):
            for name in (".", *names):
                os.chown(os.path.join(at, name), NOBODY, NOBODY)
        return NOBODY

    def test_with_everything_installed_nobody_is_asked_for_anything(self):
        self.builds()
        self.stand_in("dpkg-query", "echo installed")
        self.stand_in("sudo", "exit 1")
        done = self.script("check", user=self.caller())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.called("sudo"), [])
        self.assertEqual(len(self.called("cmake")), 1)
        said = done.stdout.splitlines()
        self.assertIn("skipped away: no wire", said)
        self.assertIn("partly skipped part: no tool", said)
        self.assertEqual(said[-2:], ["9 cases passed in 3 tests", "2 passed, 0 failed, 1 skipped"])

    def test_a_failed_test_is_named_and_told_by_the_status(self):
        self.builds(part="fail")
        self.stand_in("dpkg-query", "echo installed")
        done = self.script("check", user=self.caller())
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("FAILED part", done.stdout.splitlines())
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 1 failed, 1 skipped")

    def test_a_build_that_fails_leaves_no_result_of_an_earlier_one(self):
        self.stand_in("dpkg-query", "echo installed")
        os.makedirs(os.path.join(self.tree, "build/release"))
        shutil.copy(self.path("old", RESULTS.format(part="run")), os.path.join(self.tree, "build/release/tests.xml"))
        self.stand_in("cmake", "exit 1")
        done = self.script("check", user=self.caller())
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("passed", done.stdout)
        self.assertIn("no test was run", done.stderr)

    def test_sudo_is_used_once_and_for_packages_only(self):
        self.builds()
        self.stand_in("dpkg-query", "exit 1")
        self.stand_in("sudo", "")
        done = self.script("check", user=self.caller())
        self.assertEqual(done.returncode, 0, done.stderr)
        installs = [call[2:] for call in self.called("sudo") if call[2:] != ["-n", "true"]]
        self.assertEqual([call[-1].rsplit("/", 1)[-1] for call in installs], ["install-deps"], installs)
        caller = str(NOBODY if ROOT else os.geteuid())
        self.assertEqual([call[1] for call in self.called("cmake")], [caller])

    def test_who_may_not_install_is_told_what_to_run_in_one_line(self):
        self.builds()
        self.stand_in("dpkg-query", "exit 1")
        self.stand_in("sudo", "exit 1")
        done = self.script("check", user=self.caller())
        self.assertEqual(done.returncode, 77)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("packaging/install-deps", done.stderr)
        self.assertEqual(self.called("cmake"), [])

    def test_root_leaves_nothing_of_his_own_in_the_tree_of_another(self):
        if not ROOT:
            self.skipTest("only root can act for another")
        self.builds()
        self.stand_in("dpkg-query", "echo installed")
        self.caller()
        done = self.script("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([call[1] for call in self.called("cmake")], [str(NOBODY)])
        self.assertEqual(os.stat(os.path.join(self.tree, "build/release/tests.xml")).st_uid, NOBODY)


class Export(Tree):
    def git(self, *arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main")
        subprocess.run(
            ["git", "-C", self.tree, *identity, *arguments],
            env={**probe.clean_environment(), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"},
            check=True,
            capture_output=True,
        )

    def clone(self):
        if shutil.which("git") is None:
            self.skipTest("no git")
        for name in ("kept", "changed", "removed", "with space"):
            self.write(name, name)
        os.symlink("kept", os.path.join(self.tree, "link"))
        self.git("init")
        self.git("add", "-A")
        self.git("commit", "-m", "first")

    def write(self, name, text):
        with open(os.path.join(self.tree, name), "w", encoding="utf-8") as file:
            file.write(text)

    def export(self, status=0):
        done = self.script("export-tree", self.path("out"))
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def exported(self):
        """Names of files below the top that are not the scripts', and what is in them."""
        found = {}
        for name in sorted(os.listdir(self.path("out"))):
            path = self.path(os.path.join("out", name))
            if not os.path.isdir(path):
                with open(path, encoding="utf-8") as file:
                    found[name] = file.read()
        return found

    def test_what_is_tracked_is_copied_as_it_is_now_and_nothing_else(self):
        self.clone()
        self.write("changed", "anew")
        os.unlink(os.path.join(self.tree, "removed"))
        self.write("added", "added")
        self.git("add", "added")
        self.write("left behind", "by somebody")
        self.export()
        expected = {"added": "added", "changed": "anew", "kept": "kept", "link": "kept", "with space": "with space"}
        self.assertEqual(self.exported(), expected)
        self.assertTrue(os.path.islink(self.path("out/link")))
        self.assertTrue(os.access(self.path("out/packaging/check"), os.X_OK))

    def test_a_clone_that_was_copied_is_exported_whole(self):
        self.clone()
        # Its index remembers times and numbers of the other files.
        copy = self.path("copy")
        shutil.copytree(self.tree, copy, symlinks=True, copy_function=shutil.copy)
        self.tree = copy
        self.export()
        self.assertEqual(len(self.exported()), 5)

    def test_the_umask_and_the_hour_of_a_clone_are_not_in_the_copy(self):
        self.clone()
        os.chmod(os.path.join(self.tree, "kept"), 0o600)
        os.utime(os.path.join(self.tree, "kept"), (1, 1))
        self.export()
        copied = [os.stat(self.path(os.path.join("out", name))) for name in ("kept", "changed")]
        self.assertEqual({stat.S_IMODE(one.st_mode) for one in copied}, {0o644})
        self.assertEqual(len({one.st_mtime for one in copied}), 1)

    def test_when_git_fails_its_reason_and_the_tree_are_named(self):
        self.clone()
        self.stand_in("git", "echo 'git: broken' >&2; exit 1")
        said = self.export(status=1)
        self.assertIn("git: broken", said)
        self.assertIn(self.tree, said)

    def test_an_unpacked_archive_is_copied_without_its_builds(self):
        self.write("kept", "kept")
        os.makedirs(os.path.join(self.tree, "build/release"))
        self.export()
        self.assertEqual(self.exported(), {"kept": "kept"})
        self.assertFalse(os.path.exists(self.path("out/build")))


if __name__ == "__main__":
    probe.main()
