"""Jobs are tested over the same server without sockets as ActiveSync."""

from tests.unit.eas.conftest import either_phone as either_phone
from tests.unit.eas.conftest import own_bus as own_bus
