"""How to list nodes: which, how many, in what order."""

import enum
from typing import Optional

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

# The largest page that a server of MLMD's gives whole.
MAX_NUM_RESULT = 100
# In process a page costs no message on a network, and each may sort what it is a part of.
_MAX_NUM_RESULT_IN_PROCESS = 10_000

_Field = metadata_store_pb2.ListOperationOptions.OrderByField.Field


@enum.unique
class OrderByField(enum.Enum):
    """What a list of nodes can be ordered by."""

    CREATE_TIME = _Field.Value("CREATE_TIME")
    UPDATE_TIME = _Field.Value("LAST_UPDATE_TIME")
    ID = _Field.Value("ID")


class ListOptions:
    """Which nodes a list holds and how it is ordered.

    Attributes:
        limit: How many nodes at most; absent or 0 means all of them.
        order_by: What to order by; the id if absent.
        is_asc: Whether the smallest comes first.
        filter_query: A condition that the nodes fulfil, such as
            `type = 'Model' AND properties.epochs.int_value > 3`.
    """

    # No dataclass: to import what makes them is a tenth of Headwater's start.
    def __init__(
        self,
        limit: Optional[int] = None,
        order_by: Optional[OrderByField] = None,
        is_asc: bool = True,
        filter_query: Optional[str] = None,
    ) -> None:
        self.limit = limit
        self.order_by = order_by
        self.is_asc = is_asc
        self.filter_query = filter_query

    def _fields(self):
        return (self.limit, self.order_by, self.is_asc, self.filter_query)

    def __repr__(self):
        return (
            f"ListOptions(limit={self.limit!r}, order_by={self.order_by!r},"
            f" is_asc={self.is_asc!r}, filter_query={self.filter_query!r})"
        )

    __hash__ = None

    def __eq__(self, other):
        return self._fields() == other._fields() if _is_same(self, other) else NotImplemented

    def __lt__(self, other):
        return self._fields() < other._fields() if _is_same(self, other) else NotImplemented

    def __le__(self, other):
        return self._fields() <= other._fields() if _is_same(self, other) else NotImplemented

    def __gt__(self, other):
        return self._fields() > other._fields() if _is_same(self, other) else NotImplemented

    def __ge__(self, other):
        return self._fields() >= other._fields() if _is_same(self, other) else NotImplemented


def _is_same(options, other):
    return options.__class__ is other.__class__


def read_pages(store, method_name, field, request, list_options):
    """Lists nodes page by page, each with one call, until there are enough or no more.

    Args:
        store: The `MetadataStore` to ask.
        method_name: A method whose request has `options` and whose response has a page token.
        field: The field of the response with the nodes.
        request: What to ask for, apart from the options; this fills them in.
        list_options: `ListOptions`, or None for what the server lists by itself.

    Raises:
        errors.InvalidArgumentError: `limit` is negative, or the filter is none.
    """
    most = _MAX_NUM_RESULT_IN_PROCESS if store._using_db_connection else MAX_NUM_RESULT
    left = _fill_in(request, list_options, most)
    nodes = []
    while True:
        if left is not None:
            request.options.max_result_size = min(left, most)
        response = store._call(method_name, request)
        page = getattr(response, field)
        nodes.extend(page)
        if left is not None:
            left -= len(page)
            if left <= 0:
                return nodes
        if not response.next_page_token:
            return nodes
        request.options.next_page_token = response.next_page_token


def _fill_in(request, list_options, most):
    """Writes the options into the request; gives how many nodes are wanted, None for all."""
    if list_options is None:
        return None
    if list_options.limit and list_options.limit < 1:
        raise errors.InvalidArgumentError(
            f"`limit` of the list options is `{list_options.limit}`, less than 1"
        )
    options = request.options
    options.max_result_size = most
    options.order_by_field.is_asc = list_options.is_asc
    if list_options.order_by:
        options.order_by_field.field = list_options.order_by.value
    if list_options.filter_query:
        options.filter_query = list_options.filter_query
    return list_options.limit or None
