"""The load CA (bench/ca) as a child process: an ACME server with weather."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

from harness.certmill import environment, program as certmill_program
from harness.process import Server


def program():
    """CERTMILL_CA, else the one beside the certmill under test."""
    path = os.environ.get("CERTMILL_CA")
    return path or str(Path(certmill_program()).with_name("certmill-ca"))


class LoadCa(Server):
    """A load CA on ports of its own. `options` are its command line's; by default names are valid
    without a challenge. `weather`: the document at the start."""

    name = "certmill-ca"

    def __init__(self, folder, *options, weather=None, seed=7, threads=1):
        super().__init__(folder)
        self.ca_file = self.root = self.folder / "root.pem"
        arguments = [program(), "--root-file", self.ca_file, "--seed", seed, "--threads", threads]
        if weather is not None:
            path = self.folder / "weather.json"
            path.write_text(json.dumps(weather))
            arguments += ["--weather", path]
        self.directory = self.control = None
        self.launch([*arguments, *(options or ["--prevalidated"])], self._ready,
                    env=environment())

    def _ready(self):
        """The program writes both lines at once, when it serves."""
        lines = dict(re.findall(r"^(DIRECTORY|CONTROL)=(\S+)$", self.log.read_text(), re.MULTILINE))
        self.directory, self.control = lines.get("DIRECTORY"), lines.get("CONTROL")
        return self.control is not None

    def call(self, path, body=None):
        """One call of the control port; a POST when there is a body. Its errors raise ValueError
        with the port's own words."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data=data)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise ValueError(f"{path}: {error.code} {error.read().decode()}") from None

    def weather(self, document):
        """Changes the weather; gives the whole document."""
        return json.loads(self.call("/weather", document))

    def figures(self):
        return json.loads(self.call("/figures"))

    def reset_figures(self):
        self.call("/figures/reset", {})

    def suggest_renewal(self, account=0):
        self.call("/renew", {"account": account})

    def end(self):
        """Ends it as an operator would: its exit code and its last words."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.stop()
        return code, self.log_end()
