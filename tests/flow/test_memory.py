"""How much memory an order in flight takes: 1,000 of them held `processing` by the CA."""

import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flow import FlowCase  # noqa: E402
from harness.certmill import memory_kib  # noqa: E402
from harness.process import wait_until  # noqa: E402

COUNT = 1000
ORDER_KIB_MAX = 64


@unittest.skipIf(os.environ.get("CERTMILL_SANITIZE"), "sanitizers have memory of their own")
class MemoryTest(FlowCase):
    deadline_s = 200

    def hold(self, count, folder):
        """Runs until `count` orders are `processing`; gives the fleet and the peak in KiB."""
        ca = self.start_ca(hold_processing=True, retry_after=30)
        fleet = self.make_fleet([f"n{number:04}" for number in range(count)], folder=folder)
        fleet.limits["in-flight"] = count
        run = fleet.start()

        def all_wait():
            self.assertIsNone(run.process.poll(), "it ended early")
            orders = list(ca.book.orders.values())
            return len(orders) == count and all(each.status == "processing" for each in orders)
        wait_until(all_wait, 60, f"{count} orders are processing")
        peak = memory_kib(run.pid, "VmHWM")
        run.signal(signal.SIGTERM)
        self.assert_code(run.wait(30), 3)
        return fleet, peak

    def test_an_order_in_flight(self):
        _, few = self.hold(1, "few")
        fleet, many = self.hold(COUNT, "many")
        each = (many - few) / (COUNT - 1)
        print(f"1 order: {few} KiB; {COUNT}: {many} KiB; an order: {each:.1f} KiB")
        self.assertLess(each, ORDER_KIB_MAX)

        # The parked orders are gone on with: no new one is placed.
        self.ca.options.hold_processing = False
        self.ca.options.retry_after = None
        self.assert_code(fleet.run(deadline_s=90), 0)
        self.check_all_issued(fleet)


if __name__ == "__main__":
    unittest.main()
