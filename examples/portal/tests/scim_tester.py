"""The checks of scim2-tester against a portal that runs: `scim_tester.py URL TOKEN`. `.ci/scim` calls it."""

import sys
from collections import Counter

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

# Checks that may be skipped, and why.
EXPLAINED: dict[str, str] = {}


def main(url: str, token: str) -> int:
    client = Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    results = check_server(SyncSCIMClient(client))
    wrong = 0
    for result in results:
        is_wrong = result.status not in (Status.SUCCESS, Status.ACCEPTABLE) and result.title not in EXPLAINED
        wrong += is_wrong
        reason = " ".join((result.reason or "").split())
        print(f"{'WRONG ' if is_wrong else ''}{result.status.name} {result.resource_type or ''} {result.title}: {reason}")
    counts = Counter(result.status.name for result in results)
    print(f"{len(results)} checks: {dict(counts)}")
    # With fewer, something was not discovered and so not checked.
    return 1 if wrong or counts["SUCCESS"] < 40 else 0


sys.exit(main(*sys.argv[1:]))
