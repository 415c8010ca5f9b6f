"""The group `altlas stack`: settings of stacks compared and copied, and everything that is rendered from them."""

from altlas.commands.lazy import Entry, lazy_group

_SETTINGS, _RENDERED = "Settings", "Rendered"

COMMANDS = {
    "diff": Entry("phases:settings_diff", "Show which settings two stacks decide differently.", _SETTINGS),
    "transition": Entry("phases:transition", "Copy the settings of another stack; identity stays.", _SETTINGS),
    "schema": Entry("render:schema", "Print the JSON Schema of the stack files.", _SETTINGS),
    "render": Entry("render:render", "Write the Kubernetes objects as YAML files.", _RENDERED),
    "compose": Entry("render:compose", "Write compose.yaml and .env.example.", _RENDERED),
    "diagram": Entry("render:diagram", "Write pages with pictures: connections, dashboard.", _RENDERED),
    "deployer-role": Entry("render:deployer_role", "Print the least RBAC that an update needs.", _RENDERED),
}

app = lazy_group(COMMANDS, help="Settings of stacks, and everything that is rendered from them.")
