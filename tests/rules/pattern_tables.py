"""Patterns of RE2 for every test about them: what they accept as a whole, what is refused, and a list to compare."""

NEWER = ("(?P<n>a)(?<m>b)",)  # of Go 1.22: Prometheus 2.42 does not know it

# The pattern, whole texts that it accepts, and whole texts that it does not.
WHOLE: list[tuple[str, list[str], list[str]]] = [
    ("a|bc", ["a", "bc"], ["abc", "ac", "b", ""]),
    ("", [""], ["a"]),
    ("|a", ["", "a"], ["b"]),
    (".*", ["", "a\nb"], []),  # a dot is any character, a new line too
    (".", ["é", "\n"], ["", "ab"]),
    ("a.?", ["a", "ab"], ["abc", "xa"]),
    (r"\d+", ["12"], ["٣", "1a"]),  # digits are those of ASCII
    (r"\w+", ["a_9"], ["é"]),
    (r"\s", [" ", "\t", "\n"], ["\v", "\u00a0"]),
    (r"a\b.", ["a ", "aé"], ["ab"]),
    (r"\D\W\S", ["a-b"], ["1-b"]),
    ("^a$", ["a"], ["a\n", "ba"]),
    (r"\Aa\z", ["a"], ["a\n"]),
    ("a{2}", ["aa"], ["a", "a{2}"]),
    ("a{2,}", ["aa", "aaa"], ["a"]),
    ("a{,2}", ["a{,2}"], ["", "a", "aa"]),  # no quantifier in RE2
    ("a{٣}|{٣}", ["a{٣}", "{٣}"], ["aaa"]),
    ("{", ["{"], [""]),
    ("a{x}", ["a{x}"], []),
    ("(?:ab)*?", ["", "abab"], ["aba"]),
    ("(a|b)+c", ["abac"], ["ab", "c"]),
    (r"(\d+\.){3}\d+", ["10.2.3.44"], ["1.2.3"]),
    ("((a|bc)d)+", ["adbcd"], ["ab"]),
    ("(?i)gpu", ["GPU", "gpu"], ["gp"]),
    ("(?i:g)pu", ["Gpu"], ["GPU"]),
    ("(?i:é)k", ["Ék", "ék"], ["éK"]),  # case is that of Unicode
    ("(?i)(?-i:g)p", ["gP"], ["GP"]),
    ("(?i-s:a.)", ["Ab"], ["a\n"]),
    ("(?P<n>a)b", ["ab"], []),
    ("[a-c-]", ["b", "-"], ["d"]),
    ("[-a]", ["-"], ["b"]),
    ("[]a]", ["]", "a"], ["[]"]),
    ("[^]a]", ["b"], ["]", "a"]),
    ("[a&&b]", ["&", "a"], ["&&"]),
    ("[[a]", ["[", "a"], ["]"]),
    ("[[:]", ["[", ":"], ["]"]),
    (r"[\d.]+", ["1.5"], ["a"]),
    ("[[:alpha:][:digit:]]+", ["a1"], ["-"]),
    ("[[:space:]]", ["\v"], ["a"]),
    (r"\x41\x{e9}\t", ["Aé\t"], []),
    (r"\x{0000041}\101", ["AA"], []),
    (r"\Qa.b\E+", ["a.bbb"], ["axb"]),
    (r"\.\-\_\/", [".-_/"], []),
    ("a#b c", ["a#b c"], []),
    *((pattern, ["ab"], ["(?<m>a)b"]) for pattern in NEWER),
]
# Of these Python would try every way to take a text apart, and stop the whole process over it; RE2 would not.
ENDLESS = (
    "(a+)+b", "(a*)*", "([a-z]+-?)+x", "(.*-)*x", "((a+)b)*", "(a|ab)+c", "(a|[ab])*c", "(a|)+", "(a|A)+b",
    "((a|ab)(c|bcd))+x", "(ab?)+", "(a{1,3})+", "(a+){12}", "(a{2,}){2,}", "(a{1,63}-?)*", "(a?b|b)+c",
)  # fmt: skip
REFUSED = [
    "(", ")", ")(", "a)", "[a", "[", "a**", "a*+", "a++", "a{2}{3}", "*a", "|*", "(*a)", "^*", "a{1001}", "a{3,2}",
    "[b-a]", r"\1", r"(a)\1", r"\pL", r"\p{Greek}", r"\C", r"\Z", r"\u00e9", r"\x{110000}", "\\", r"[\D]",
    "[[:^alpha:]]", "[[:greek:]]", "(?=a)", "(?!a)", "(?<=a)b", "(?>a)", "(?#c)", "(?x)a", "(?U)a", "(?-s).",
    "a(?i)b", "(?m:^a)", "(?P=n)", "(?P<n>a)(?P<n>b)", *ENDLESS,
]  # fmt: skip
REFUSED_IN_MATCHERS = ["(?m)a", "(?m)^b", "[a-c-e]"]  # right for Prometheus too, and known to templates

# Go knows these; Python has no counterpart, or none that is written here. They are refused when a rule is loaded.
REFUSED_THOUGH_RIGHT = (
    r"\pL", r"\p{Greek}", r"\C", r"[\D]", "[[:^alpha:]]", "(?U)a", "(?U)a+", "(?-s).", "(?-i)a", "(?i-s)a.", "a(?i)b",
    "(?m:^a)", "^*", "(?P<n>a)(?P<n>b)", *ENDLESS,
)  # fmt: skip

PATTERNS = [
    r"a.c", r"^a.*c$", r"[a-c]+", r"[^a-c]", r"(a)(b)?", r"a{2}", r"a{1,2}b", r"a{,2}", r"a{2,1}", r"a**", r"a*?",
    r"a+?b", r"a??", r"a*+", r"a++", r"(?:a", r"b)+", r"(?i)ABC", r"(?i:AB)c", r"(?s)a.c", r"(?m)^b", r"(?x)a",
    r"(?U)a+", r"\bab\b", r"\Bb", r"\d+", r"\D", r"\w+", r"\W", r"\s", r"\S+", r"[\d]+", r"[\w.]+", r"\.", r"\-",
    r"\x41", r"\x{61}", r"\101", r"\07", r"\n", r"\t", r"\Qa.b\E", r"\pL", r"\p{Greek}", r"[[:alpha:]]+",
    r"[[:^alpha:]]", r"[[:nope:]]", r"[]a]", r"[^]a]", r"[a-]", r"[-a]", r"[a\-z]", r"[z-a]", r"[a", r"", r"(", r")",
    r"a)", r"(?=a)", r"(?!a)", r"(?<=a)b", r"(?P<n>a)b", r"(?P=n)", r"\1", r"(a)\1", r"\z", r"\A", r"\Z", r"a\z",
    r"$", r"^", r"^$", r"x*", r"(a", r"ab)(c", r"bcd)", r"\e", r"\q", r"\_", r"\é", r"é+", r"[é-ü]", r"a&&b",
    r"[a&&b]", r"[a~~b]", r"[a--b]", r"a{1001}", r"a{1000}", r"((((a))))", r"\C", r"(?", r"(?i", r"(?z)a", r"(?-i)a",
    r"(?i-s)a.", r"{", r"}", r"a{", r"a{1", r"{1}", r"\{1\}", r"a\{1\}", r"(?i)É", r"(?)a",
]  # fmt: skip
EVERY = [
    one
    for one in dict.fromkeys((*PATTERNS, *(row[0] for row in WHOLE), *REFUSED, *REFUSED_IN_MATCHERS))
    if one not in NEWER
]
TEXTS = ("", "abc", "ABC", "aab.b-c", "a\nb\nc", "12 ab_é\t{1}", "a&b~a||b")
WHOLE_TEXTS = tuple(dict.fromkeys((*TEXTS, *(text for row in WHOLE for texts in row[1:] for text in texts))))
