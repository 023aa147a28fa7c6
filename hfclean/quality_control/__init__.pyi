from .report import DeskReport as DeskReport
from .report import desk_report as desk_report
