# SPDX-License-Identifier: Apache-2.0
"""What is installed and where, the units, and that the packages are of this version."""

import os
import re
import shutil
import subprocess

import probe

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
EXAMPLES = "usr/share/doc/chompy-probe/examples/"
INSTALLED = {
    "etc/chompy-probe/config.yaml",
    "usr/lib/systemd/system/chompy-probe.service",
    "usr/lib/systemd/system/chompy-probe@.service",
    "usr/lib/sysusers.d/chompy-probe.conf",
    "usr/sbin/chompy-probe",
    "usr/share/bash-completion/completions/chompy-probe",
    "usr/share/man/man5/chompy-probe.yaml.5",
    "usr/share/man/man8/chompy-probe.8",
    "usr/share/zsh/site-functions/_chompy-probe",
    EXAMPLES + "ebpf-steering.conf",
    EXAMPLES + "one-collector.conf",
}


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


class Install(probe.Case):
    def installed(self):
        if shutil.which("cmake") is None:
            self.skipTest("no cmake")
        subprocess.run(
            ["cmake", "--install", os.path.dirname(probe.BINARY), "--prefix", "/usr"],
            env={**os.environ, "DESTDIR": self.folder},
            check=True,
            capture_output=True,
        )
        return self.folder

    def test_exactly_the_files_of_the_list_are_installed(self):
        root = self.installed()
        found = {os.path.relpath(os.path.join(at, name), root) for at, _, names in os.walk(root) for name in names}
        collectors = {
            os.path.join(EXAMPLES + "collectors", os.path.relpath(os.path.join(at, name), SOURCE + "/etc/collectors"))
            for at, _, names in os.walk(SOURCE + "/etc/collectors")
            for name in names
        }
        self.assertEqual(found, INSTALLED | collectors)

    def test_program_build_and_packages_are_of_one_version(self):
        versions = {
            "CMakeLists.txt": r"project\(chompy-probe VERSION ([0-9.]+)",
            "packaging/debian/changelog": r"\Achompy-probe \(([0-9.]+)\)",
            "packaging/rpm/chompy-probe.spec": r"\nVersion: +([0-9.]+)\n",
            "CHANGELOG.md": r"\n## ([0-9.]+)",
        }
        found = {name: re.search(pattern, read(SOURCE, name)).group(1) for name, pattern in versions.items()}
        said = self.run_probe("--version").out.split()[1]
        self.assertEqual(found, dict.fromkeys(versions, said))

    def units(self):
        """The units as they would be installed, with a program that is there."""
        root = self.installed()
        for name in ("chompy-probe.service", "chompy-probe@.service"):
            text = read(root, "usr/lib/systemd/system", name)
            self.assertIn("/sbin/chompy-probe ", text)
            unit = name.replace("@", "@br-lan")
            yield self.path(unit, re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + probe.BINARY, text)), text

    def test_the_units_are_in_order_and_expose_little(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze")
        for unit, _ in self.units():
            # An unknown word is only said, not failed upon: nothing at all may be said.
            said = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
            )
            self.assertEqual((said.returncode, said.stdout + said.stderr), (0, ""))
            exposure = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit]
            said = subprocess.run(exposure, capture_output=True, text=True, check=False)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    def test_an_instance_gets_its_name_as_it_is_written(self):
        for _, text in self.units():
            self.assertNotIn("%I", text)
            for exits in ("2", "77", "78"):
                self.assertRegex(text, rf"(?m)^RestartPreventExitStatus=.*\b{exits}\b")
        self.assertIn(" --instance=%i\n", read(self.folder, "usr/lib/systemd/system/chompy-probe@.service"))
        config = "/etc/chompy-probe/config.yaml"
        self.assertIn(f" -config {config}\n", read(self.folder, "usr/lib/systemd/system/chompy-probe.service"))

    def test_the_shipped_settings_are_in_order(self):
        file = os.path.join(self.installed(), "etc/chompy-probe/config.yaml")
        self.assertEqual(self.run_probe("-config", file, "--check-config").status, 0)


if __name__ == "__main__":
    probe.main()
