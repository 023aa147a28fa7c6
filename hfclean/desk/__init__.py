"""The desk: people decide about revisions in a browser, one row a screen; nothing that they decide is lost."""

from hfclean.desk.choices import Choice
from hfclean.desk.desk import Decided, Desk, Seat
from hfclean.desk.planting import plant
from hfclean.desk.queue import Queue, Selection
from hfclean.desk.rows import Rows, price_of
from hfclean.desk.server import desk_app

__all__ = ["Choice", "Decided", "Desk", "Queue", "Rows", "Seat", "Selection", "desk_app", "plant", "price_of"]
