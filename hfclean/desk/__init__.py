"""The desk: people decide about revisions in a browser, one row a screen; nothing that they decide is lost."""

from hfclean.desk.desk import Choice, Decided, Desk
from hfclean.desk.queue import Order
from hfclean.desk.rows import Proposal, Rows

__all__ = ["Choice", "Decided", "Desk", "Order", "Proposal", "Rows"]
