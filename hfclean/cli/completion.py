"""Print a completion script for a shell.

Print what makes a shell complete commands, options and their choices: for bash, eval "$(hfclean completion bash)" in
~/.bashrc; for zsh, hfclean completion zsh > a folder of $fpath/_hfclean; for fish, hfclean completion fish >
~/.config/fish/completions/hfclean.fish. Needs shtab: pip install 'hfclean[completion]'.
"""

import argparse

SHELLS = ("bash", "zsh", "fish")


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("shell", choices=SHELLS, help="the shell")
