"""The CA to measure against: certmill-ca, with what the sections ask of it. It sees one machine, so
every name is at 127.0.0.1, where it fetches http-01 answers on http_port."""

from harness.load_ca import LoadCa
from harness.process import free_ports


class BenchCa(LoadCa):
    def __init__(self, folder, challenge, weather=None):
        self.http_port, = free_ports(1)
        options = ["--prevalidated"] if challenge == "none" else \
            ["--http-port", self.http_port, "--resolve-all-to", "127.0.0.1"]
        super().__init__(folder, *options, weather=weather)

    def spent(self):
        """(CPU seconds, certificates issued, requests) so far."""
        figures = self.figures()
        server = figures["server"]
        return (figures["cpu-seconds"], figures["acme"]["issued"],
                server["requests-http1"] + server["requests-http2"])
