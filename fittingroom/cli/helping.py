"""Help that is not cut off, a bare group that prints its help, and what ``run --help`` knows of the flows."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from fittingroom.cli.layers import command_above


class Group(TyperGroup):
    """A group of commands: summaries are wrapped where they do not fit, never cut; without a command, its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; nothing at all is answered with the help, and exit 2."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with its whole summary."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(10_000)) for name, command in commands if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class FlowCommand(TyperCommand):
    """``run``: its help lists the flows, and with a flow's name that flow's parameters."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; the flow's name is kept for the help, which is asked for before arguments are known."""
        names = [
            argument
            for before, argument in zip(["", *args], args, strict=False)
            if not argument.startswith("-") and before != "--param"
        ]
        ctx.meta[__name__] = names[0] if names else None
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The flows below the options; or what one flow does, and its parameters."""
        flow = ctx.meta.get(__name__)
        about, rows = command_above("flow-help")(flow)
        if flow is None:
            super().format_help(ctx, formatter)
            title = "Flows (fittingroom run FLOW --help shows what one asks)"
        else:
            formatter.write_usage(f"{ctx.command_path} {flow}", "[OPTIONS]")
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(about)
            self.format_options(ctx, formatter)
            title = "Parameters, each as --param name=value"
        with formatter.section(title):
            formatter.write_dl(rows)
