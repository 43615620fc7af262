"""Write `appliance/eas/COVERAGE.md`; with a fault in the reasons, say which and write nothing."""

import sys

from tests.requirements.marks import marked
from tests.requirements.page import PLACE, page
from tests.requirements.reasons import ReasonError, faults, groups

try:
    found = list(faults(groups(), marked()))
except ReasonError as error:
    found = [str(error)]
if found:
    sys.exit("\n".join(found))
PLACE.write_text(page(), encoding="utf-8")
