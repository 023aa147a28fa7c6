from .finishing import finish as finish
from .merging import merge as merge
from .near import near_duplicates as near_duplicates
from .parts import clean_shard as clean_shard
from .whole_rows import OwnStore as OwnStore
from .whole_rows import whole_rows as whole_rows
