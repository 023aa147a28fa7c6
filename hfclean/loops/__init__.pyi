from .feedback import Feedback as Feedback
from .feedback import Iteration as Iteration
from .feedback import Pool as Pool
from .feedback import Row as Row
from .feedback import Update as Update
from .feedback import update_seeds as update_seeds
