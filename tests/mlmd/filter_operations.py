"""Random filters, and requests for the lineage subgraph that begin and end with them.

A filter names types, nodes, properties and links that the run has made, so that most of them find
something. Some are ill-typed or broken; both sides must refuse these.
"""

import re
from dataclasses import dataclass, field

from ml_metadata.proto import metadata_store_pb2 as pb

from operations import (
    ARTIFACT,
    CONTEXT,
    EXECUTION,
    KINDS,
    PROPERTY_TYPES,
    UNKNOWN_ID,
    Generator,
    Operation,
    new_request,
)

COMPARISONS = ("=", "=", "=", "!=", "<>", "<", "<=", ">", ">=")
STATES = {
    ARTIFACT: ("UNKNOWN", "PENDING", "LIVE", "MARKED_FOR_DELETION", "DELETED"),
    EXECUTION: ("UNKNOWN", "NEW", "RUNNING", "COMPLETE", "FAILED", "CACHED", "CANCELED"),
}
STATE_ATTRIBUTE = {ARTIFACT: "state", EXECUTION: "last_known_state"}
EVENT_TYPES = (
    "INPUT",
    "OUTPUT",
    "DECLARED_INPUT",
    "DECLARED_OUTPUT",
    "INTERNAL_INPUT",
    "INTERNAL_OUTPUT",
)
CUSTOM_NAMES = ("c1", "c two", "c'3", " ")
VALUE_FIELDS = {
    pb.INT: ("int_value", "int"),
    pb.DOUBLE: ("double_value", "double"),
    pb.STRING: ("string_value", "string"),
    pb.BOOLEAN: ("bool_value", "bool"),
    pb.STRUCT: ("string_value", "string"),
}
PLAIN_NAME = re.compile(r"[0-9A-Za-z_]+")
OLD_MILLISECONDS = (0, 1, 77, 123_456, -5, 150_000)
MASK_PATHS = (
    "artifacts",
    "executions",
    "contexts",
    "events",
    "attributions",
    "associations",
    "artifact_types",
    "execution_types",
    "context_types",
)


def is_written_plainly(text):
    """Whether MLMD hands a text on as it is, and not with escapes that SQLite does not know."""
    has_both_quotes = "'" in text and '"' in text
    return not has_both_quotes and "\\" not in text and text.isprintable()


def may_be_struct(operand):
    """Whether this may be the text of a struct, of which only the first letters are certain."""
    return "properties." in operand


@dataclass
class Scope:
    """What one filter has said so far."""

    kind: object
    enums: set = field(default_factory=set)
    aliases: list = field(default_factory=list)


class FilterGenerator(Generator):
    """Random filters for the nodes of one kind, and lineage."""

    NEIGHBOURS_MAX = 3
    DEPTH_MAX = 3

    def filter_query(self, kind):
        """A filter, and a word on what is wrong with it."""
        scope = Scope(kind)
        text = self.condition(scope, self.random.randint(0, self.DEPTH_MAX))
        if self.chance(0.15):
            return self.flawed_filter(scope, text)
        return self.spaced(text), "filter"

    def spaced(self, text):
        if self.chance(0.05):
            return self.choice((f" {text}\n", f"{text} -- end", f"/* a */ {text}", f"({text})"))
        return text

    # Conditions.

    def condition(self, scope, depth):
        if depth == 0:
            return self.predicate(scope)
        form = self.random.random()
        if form < 0.3:
            parts = [self.condition(scope, depth - 1) for _ in range(self.random.randint(2, 3))]
            return self.choice((" AND ", " and ")).join(map(self.grouped, parts))
        if form < 0.6:
            parts = [self.condition(scope, depth - 1) for _ in range(self.random.randint(2, 3))]
            return " OR ".join(map(self.grouped, parts))
        inner = self.condition(scope, depth - 1)
        if form < 0.75:
            return f"NOT ({inner})"
        if form < 0.85:
            return (
                f"({inner}) IS {self.choice(('', 'NOT '))}{self.choice(('TRUE', 'FALSE', 'NULL'))}"
            )
        if form < 0.9:
            return f"CASE WHEN {inner} THEN {self.predicate(scope)} ELSE FALSE END"
        return f"({inner})"

    def grouped(self, part):
        return f"({part})" if self.chance(0.6) else part

    def predicate(self, scope):
        form = self.random.random()
        if form < 0.15 and (enum := self.enum_predicate(scope)):
            return enum
        if form < 0.3:
            column = self.column(scope, self.choice(("int", "string", "double", "bool")))
            return f"{column} IS {self.choice(('NULL', 'NOT NULL'))}"
        of = self.random.choices(("int", "string", "double", "bool"), (5, 6, 2, 2))[0]
        return getattr(self, f"{of}_predicate")(scope)

    def int_predicate(self, scope):
        column = self.number(scope, "int")
        form = self.random.random()
        if form < 0.15:
            values = ", ".join(self.int_literal(scope) for _ in range(self.random.randint(1, 5)))
            return f"{column} {self.choice(('IN', 'NOT IN'))} ({values})"
        if form < 0.25:
            low, high = self.int_literal(scope), self.int_literal(scope)
            return f"{column} {self.choice(('', 'NOT '))}BETWEEN {low} AND {high}"
        other = self.int_literal(scope) if form < 0.85 else self.number(scope, "int")
        if form > 0.97:
            other = self.double_literal()
        return f"{column} {self.choice(COMPARISONS)} {other}"

    def double_predicate(self, scope):
        column = self.number(scope, "double")
        if self.chance(0.1):
            return f"{column} BETWEEN {self.double_literal()} AND {self.double_literal()}"
        other = self.choice((self.double_literal(), self.double_literal(), self.int_literal(scope)))
        return f"{column} {self.choice(COMPARISONS)} {other}"

    def bool_predicate(self, scope):
        column = self.column(scope, "bool")
        return self.choice(
            (
                column,
                f"NOT {column}",
                f"{column} = {self.choice(('TRUE', 'false'))}",
                f"{column} != TRUE",
                f"{column} IS NOT TRUE",
                f"{column} IN (FALSE)",
            )
        )

    def string_predicate(self, scope):
        column = self.text(scope)
        form = self.random.random()
        if form < 0.2:
            word = self.choice(("LIKE", "NOT LIKE"))
            return f"{column} {word} {self.quoted(self.pattern(scope, column))}"
        if form < 0.35:
            texts = [self.quoted(self.known_text(scope)) for _ in range(self.random.randint(1, 4))]
            return f"{column} {self.choice(('IN', 'NOT IN'))} ({', '.join(texts)})"
        if form < 0.4:
            texts = sorted(self.known_text(scope) for _ in range(2))
            return f"{column} BETWEEN {self.quoted(texts[0])} AND {self.quoted(texts[1])}"
        other = self.quoted(self.known_text(scope))
        if form > 0.9 and not may_be_struct(column):
            other = self.text(scope)
        return f"{column} {self.choice(COMPARISONS)} {other}"

    def enum_predicate(self, scope):
        """A state or event type by name, each name once in a filter: twice is mended."""
        if scope.kind is CONTEXT:
            owner = self.choice((ARTIFACT, EXECUTION))
            path = f"{self.alias(scope, owner.plural)}.{STATE_ATTRIBUTE[owner]}"
            names, words = STATES[owner], ("=", "=", "IN")
        elif self.chance(0.6):
            path, names = STATE_ATTRIBUTE[scope.kind], STATES[scope.kind]
            words = ("=", "=", "!=", "IN", "NOT IN")
        else:
            path, names = f"{self.alias(scope, 'events')}.type", EVENT_TYPES
            words = ("=", "=", "!=", "IN", "NOT IN")
        word = self.choice(words)
        values = self.random.sample(names, 1 if "=" in word else self.random.randint(1, 3))
        value = ", ".join(values) if "=" in word else f"({', '.join(values)})"
        if (path.split(".")[-1], value) in scope.enums:
            return None
        scope.enums.add((path.split(".")[-1], value))
        return f"{path} {word} {value}"

    # Operands.

    def number(self, scope, of):
        """An expression of a number; arithmetic only where it cannot overflow."""
        column = self.column(scope, of)
        if self.chance(0.9):
            return column
        small = self.choice(("id", "type_id", "LENGTH(type)"))
        forms = [f"{small} + 1", f"{small} * 2 - 3", f"-{small}", f"ABS({small} - 9)"]
        forms += [f"({small} & 3)", f"{small} | 1", f"{small} / 2", f"ROUND({small} / 2)"]
        forms += [f"COALESCE({column}, 0)", f"IFNULL({column}, 1)", f"NULLIF({column}, 1)"]
        forms += [f"CASE WHEN {small} > 12 THEN {column} ELSE 0 END"]
        return self.choice(forms)

    def text(self, scope):
        column = self.column(scope, "string")
        if self.chance(0.85):
            return column
        forms = (
            f"LOWER({column})",
            f"UPPER({column})",
            f"SUBSTR({column}, 1, {self.random.randint(1, 4)})",
            f"SUBSTR({column}, 2, 3)",
            f"TRIM({column})",
            f"REPLACE({column}, 'a', 'b')",
            f"COALESCE({column}, 'none')",
            f"CASE WHEN {column} IS NULL THEN 'none' ELSE {column} END",
        )
        return self.choice(forms)

    def column(self, scope, of):
        """A path to a value of this type: an attribute, a property, or of a neighbour."""
        form = self.random.random()
        if of in ("double", "bool") or form < 0.35:
            return self.property_column(scope, of)
        if form < 0.6 and (path := self.neighbour_column(scope, of)):
            return path
        if of == "string":
            names = ["name", "name", "type", "external_id", "`name`", "Name"]
            return self.choice(names + ["uri", "uri"] * (scope.kind is ARTIFACT))
        return self.choice(("id", "id", "id", "type_id", "`id`", "ID"))

    def property_column(self, scope, of):
        is_custom = self.chance(0.4)
        if is_custom:
            name = self.choice(CUSTOM_NAMES)
        else:
            known = {n for made in self.types[scope.kind].values() for n in made.properties}
            names = sorted(filter(None, known)) or ["p1"]
            fitting = [n for n in names if n in {f"p{t}" for t in self.fitting_types(of)}]
            name = self.choice(fitting or names) if self.chance(0.85) else self.choice(names)
        value = {"int": "int_value", "double": "double_value", "bool": "bool_value"}
        quoted = name if PLAIN_NAME.fullmatch(name) else f"`{name}`"
        owner = "custom_properties" if is_custom else "properties"
        self.alias(scope, f"{owner}.{name}", is_path=True)
        return f"{owner}.{quoted}.{value.get(of, 'string_value')}"

    @staticmethod
    def fitting_types(of):
        return [t for t in PROPERTY_TYPES if VALUE_FIELDS.get(t, ("", ""))[1] == of]

    def neighbour_column(self, scope, of):
        if scope.kind is CONTEXT:
            prefix = self.choice(("artifacts", "executions", "parent_contexts", "child_contexts"))
        else:
            prefix = self.choice(("contexts", "contexts", "events"))
        if prefix == "events":
            if of != "int":
                return None
            other = EXECUTION if scope.kind is ARTIFACT else ARTIFACT
            return f"{self.alias(scope, prefix)}.{other.name}_id"
        names = ["id"] if of == "int" else ["name", "type"]
        if prefix == "artifacts" and of == "string":
            names.append("uri")
        return f"{self.alias(scope, prefix)}.{self.choice(names)}"

    def alias(self, scope, prefix, is_path=False):
        """A neighbour by name; no more of them than the wheel joins in reasonable time."""
        name = prefix if is_path else f"{prefix}_{self.choice('aab')}"
        if name not in scope.aliases:
            alike = [a for a in scope.aliases if not is_path and a.startswith(f"{prefix}_")]
            if alike and len(scope.aliases) >= self.NEIGHBOURS_MAX:
                return alike[0]
            scope.aliases.append(name)
        return name

    # Literals.

    def int_literal(self, scope):
        known = [i for kind in KINDS for i in self.nodes[kind]] or [1]
        form = self.random.random()
        if form < 0.6:
            return str(self.choice(known))
        if form < 0.75:
            return str(self.choice(OLD_MILLISECONDS))
        numbers = ("0", "1", "-1", "42", "2147483648", "-2147483649", "9223372036854775807")
        return self.choice((*numbers, "-9223372036854775808", "0x2A", "-0"))

    def double_literal(self):
        quarter = self.random.randint(-2000, 2000) / 4
        return self.choice((f"{quarter}", f"{quarter:e}", "0.0", ".25", "1.", "-0.5"))

    def known_text(self, scope):
        """A text that the store holds, of any attribute, unless MLMD cannot write it."""
        found = {"", "a", "T0", "nobody", "/data/1", "été ☂ 𝄞", "%_", "none"}
        for kind in KINDS:
            found.update(made.name for made in self.types[kind].values())
            for node in self.random.sample(sorted(self.nodes[kind]), min(5, len(self.nodes[kind]))):
                stored = self.nodes[kind][node]
                found.update((stored.name, stored.external_id))
        return self.choice(sorted(filter(is_written_plainly, found)))

    def pattern(self, scope, column):
        text = self.known_text(scope)
        cut = self.random.randint(0, len(text))
        forms = [f"{text[:cut]}%", f"{text[:cut]}_%", "%", "é%", "N_", "mlmd-struct::%"]
        return self.choice(forms if may_be_struct(column) else [*forms, f"%{text[cut:]}"])

    def quoted(self, text):
        if "'" in text:
            return f'"{text}"'
        return self.choice(
            (f"'{text}'", f"'{text}'", f'"{text}"' if '"' not in text else f"'{text}'")
        )

    # What is wrong.

    def flawed_filter(self, scope, text):
        flaw = self.choice(
            (
                ("types differ", f"({text}) AND name = 1"),
                ("types differ", f"id = 'a' OR ({text})"),
                ("types differ", f"({text}) = 1"),
                ("not a condition", "id + 1"),
                ("unknown name", f"nothing = 1 AND ({text})"),
                ("unknown name", f"({text}) AND nobodies_a.id = 1"),
                ("unknown name", f"({text}) OR properties.p1.value = 1"),
                ("unknown function", f"NOSUCH(id) = 1 AND ({text})"),
                ("wrong argument", f"({text}) AND LOWER(id) = 'a'"),
                ("unknown enum", f"({text}) AND state = NOSUCH"),
                ("null operand", f"({text}) AND name = NULL"),
                ("not closed", f"({text}"),
                ("not closed", f"{text})"),
                ("not closed", f"({text}) AND name = 'a"),
                ("cut off", f"({text}) AND"),
                ("cut off", f"({text}) OR NOT"),
                ("blank", " "),
                ("two conditions", f"({text}); id = 1"),
                ("chained", f"({text}) AND 1 < id < 3"),
                ("another kind's", f"({text}) AND {self.foreign_name(scope)} IS NOT NULL"),
            )
        )
        return flaw[1], f"filter: {flaw[0]}"

    def foreign_name(self, scope):
        names = {
            ARTIFACT: ("last_known_state", "artifacts_a.id", "events_a.artifact_id"),
            EXECUTION: ("uri", "state", "parent_contexts_a.id", "events_a.execution_id"),
            CONTEXT: ("uri", "state", "contexts_a.id", "events_a.type"),
        }
        return self.choice(names[scope.kind])

    # Lineage.

    def get_lineage(self):
        method = "GetLineageSubgraph"
        request, notes = new_request(method), []
        options = request.lineage_subgraph_query_options
        start = self.choice((ARTIFACT, EXECUTION))
        if self.chance(0.95):
            query, note = self.starting_filter(start)
            getattr(options, f"starting_{start.plural}").filter_query = query
            notes.append(note)
        else:
            form = self.choice(("no start", "no options", "no query", "empty query"))
            if form == "no options":
                request.ClearField("lineage_subgraph_query_options")
                return Operation(method, request, form)
            if form.endswith("query"):
                getattr(options, f"starting_{start.plural}").SetInParent()
            if form == "empty query":
                getattr(options, f"starting_{start.plural}").filter_query = ""
            notes.append(form)
        self._limit(options, notes)
        for kind in (ARTIFACT, EXECUTION):
            if self.chance(0.35):
                self._end(getattr(options, f"ending_{kind.plural}"), kind)
        if self.chance(0.6):
            paths = self.random.sample(MASK_PATHS, self.random.randint(1, len(MASK_PATHS)))
            request.read_mask.paths.extend(paths)
            if self.chance(0.2):
                request.read_mask.paths.append(self.choice(("bogus", "artifacts.id", "", "events")))
        elif self.chance(0.3):
            request.read_mask.SetInParent()
        return Operation(method, request, ", ".join(notes))

    def starting_filter(self, kind):
        """Mostly a few nodes by id; sometimes any filter."""
        if self.chance(0.3):
            return self.filter_query(kind)
        ids = {self.choice(self.nodes[kind] or [UNKNOWN_ID]) for _ in range(3)}
        listed = ", ".join(map(str, sorted(ids)))
        return self.choice((f"id IN ({listed})", f"id = {min(ids)}", f"id < {max(ids)}")), "lineage"

    def _limit(self, options, notes):
        if self.chance(0.8):
            options.direction = self.random.randint(0, 3)
        if self.chance(0.8):
            options.max_num_hops = self.choice((0, 1, 2, 3, 4, 5, 6, 100, 101, 2**62))
            if self.chance(0.04):
                options.max_num_hops = self.choice((-1, -(2**63)))
                notes.append("negative hops")

    def _end(self, ending, kind):
        """Ending nodes. Never by a broken filter: MLMD looks at it only when nodes may end."""
        if self.chance(0.9):
            ids = [self.choice(self.nodes[kind] or [UNKNOWN_ID]) for _ in range(4)]
            listed = ", ".join(map(str, ids))
            forms = [f"id IN ({listed})", f"id > {ids[0]}", "type = 'T0'", "name IS NULL", ""]
            scope = Scope(kind)
            ending.filter_query = self.choice((*forms, self.condition(scope, 1)))
        if self.chance(0.5):
            ending.include_ending_nodes = self.chance(0.8)
        ending.SetInParent()
