"""The desk as a Docker Space: several people sign in with the Hub, and what they decide goes into a private dataset.

`settings` is what a Space is told, `pushing` writes one, `__main__` is what its container runs: it reads the rows
from a private dataset, and `app` shows each person a desk of their own (`sessions` and `sign_in` say who it is).
`committed` sends the file of decisions to a private dataset and brings back what others sent.
"""
