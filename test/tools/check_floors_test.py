"""tools/check_floors.py finds each kind of offence, and nothing in a tree that has none.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECKER = os.path.join(ROOT, "tools", "check_floors.py")

# A tree without offence; each test adds to it.
GOOD = {
    "include/gort.h": '#include <stdint.h>\n#include "gort/inline.h"\nint gort_run(void);\n',
    "include/gort/inline.h": "#define GORT_INLINE 1\n",
    "src/base/bits.h": "int bits(int x);\n",
    "src/base/bits.c": '#include "base/bits.h"\n#include "sched/p_data.h"\n',
    "src/arch/arch.h": '#include "os/os.h"\n',
    "src/os/os.h": "void *os_map(void);\n",
    "src/os/linux/mem.c": '#include "os/os.h"\n#include "arch/arch.h"\n',
    "src/heap/span.h": '#include "base/bits.h"\n#include "gort/inline.h"\nint span_x(void);\n',
    "src/heap/span.c": '#include "span.h"\n#include <gort.h>\n#include "sched/p_data.h"\n',
    "src/sched/p_data.h": """
        #include <stdint.h>
        /* no_function (int); */
        #define P_MAX(a) helper(a)
        struct p { void (*hook)(void *arg); uint64_t x[2] __attribute__((aligned(64))); };
        _Static_assert(sizeof(struct p) == 64, "a (p)");
        extern struct p *p_all;
        extern void (*p_hook)(int a);
        extern uint64_t (*p_other)(int a);
        typedef void p_function(void *arg);
        enum p_state { P_IDLE = (1), P_RUNNING = sizeof(int) };
        struct __attribute__((aligned(64))) q { int a; } ;
        struct BASE_ALIGNED(64) r { int a; };
        static const struct p p_none = { 0, { 1, 2 } };
        """,
    "src/sched/p.h": "int p_get(void);\n",
    "src/diag/report.c": '#include "sched/p.h"\n#include "diag/report.h"\n#include "heap/span.h"\n',
    "src/diag/report.h": "\n",
    "test/unit/heap/span.c": '#include "heap/span.h"\n',
    "test/api/chan.c": '#include <gort.h>\n',
}


class Trees(unittest.TestCase):
    def check(self, changes, expected):
        """Runs the checker over GOOD with changes; expected None means nothing is found."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**GOOD, **changes}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            ran = subprocess.run([sys.executable, CHECKER, "--root", root], capture_output=True,
                                 text=True)
        self.assertEqual(ran.stderr, "")
        if expected is None:
            self.assertEqual((ran.returncode, ran.stdout), (0, ""))
        else:
            self.assertEqual(ran.returncode, 1)
            self.assertRegex(ran.stdout, expected)
            self.assertIn("check_floors: 1 finding(s)", ran.stdout)

    def test_good(self):
        self.check({}, None)

    def test_upward_include(self):
        self.check({"src/heap/a.c": '#include "sched/p.h"\n'},
                   r"src/heap/a\.c:1: floor 3 includes src/sched/p\.h of floor 4\n")

    def test_upward_include_by_header(self):
        self.check({"src/heap/a.h": '\n\n#  include "sched/p.h"\n'}, r"src/heap/a\.h:3: floor 3")

    def test_upward_include_by_relative_path(self):
        self.check({"src/heap/a.c": '#include "../sched/p.h"\n'}, r"floor 3 includes src/sched/p")

    def test_upward_include_in_angle_brackets(self):
        self.check({"src/heap/a.c": "#include <sched/p.h>\n"}, r"floor 3 includes src/sched/p")

    def test_upward_include_through_data_header(self):
        self.check({"src/lang/q_data.h": '#include "lang/chan.h"\n', "src/lang/chan.h": "",
                    "src/heap/a.c": '#include "lang/q_data.h"\n'},
                   r"src/heap/a\.c:1: floor 3 includes src/lang/chan\.h of floor 7 through "
                   r"src/lang/q_data\.h")

    def test_commented_include_is_none(self):
        self.check({"src/heap/a.c": '// #include "sched/p.h"\n/*\n#include "sched/p.h"\n*/\n'}, None)

    def test_upward_include_by_unit_test(self):
        self.check({"test/unit/heap/b.c": '#include "sched/p.h"\n'}, r"test/unit/heap/b\.c:1")

    def test_upward_include_by_assembly(self):
        self.check({"src/arch/amd64/s.S": '#include "heap/span.h"\n'}, r"s\.S:1: floor 1 includes")

    def test_include_of_diag(self):
        self.check({"src/rt/boot.c": '#include "diag/report.h"\n'}, "nothing includes diag")

    def test_include_of_diag_data(self):
        self.check({"src/rt/boot.c": '#include "diag/r_data.h"\n', "src/diag/r_data.h": ""},
                   "nothing includes diag")

    def test_unknown_folder(self):
        self.check({"src/misc/a.c": ""}, r"src/misc/a\.c: lies in a folder that is no floor")

    def test_source_included(self):
        self.check({"src/heap/a.c": '#include "span.c"\n'}, r"includes the source file span\.c")

    def test_private_in_public(self):
        self.check({"include/gort/bad.h": '#include "base/bits.h"\n'},
                   r"include/gort/bad\.h:1: public header includes the private src/base/bits\.h")

    def test_private_in_public_relative(self):
        self.check({"include/gort/bad.h": '#include "../../src/base/bits.h"\n'}, "private")

    def test_private_in_api_test(self):
        self.check({"test/api/a.c": '#include "../../src/base/bits.h"\n'}, "private")

    def test_data_header_prototype(self):
        for text in ("void g_park(struct g *g);\n",
                     "struct a { int x; };\nextern int g_get(void);\n",
                     "struct g *g_get(\n    int a);\n",
                     "int g_get(void) __attribute__((pure));\n",
                     "__attribute__((pure)) int g_get(void);\n",
                     '#ifdef __cplusplus\nextern "C" {\n#endif\nint g_get(void);\n'
                     "#ifdef __cplusplus\n}\n#endif\n",
                     "static inline int g_get(void) { return (1); }\n",
                     "static inline int g_get(void)\n{\n    if (x) { y(); }\n    return 1;\n}\n"):
            with self.subTest(text=text):
                self.check({"src/sched/g_data.h": text},
                           r"src/sched/g_data\.h:\d+: a data header declares the function g_")


class Symbols(unittest.TestCase):
    def check(self, floors, expected):
        """floors: {floor: C source}; compiles each into an object and runs the checker on them."""
        with tempfile.TemporaryDirectory() as root:
            listing = ""
            for floor, text in floors.items():
                source = os.path.join(root, floor + ".c")
                obj = os.path.join(root, floor + ".o")
                with open(source, "w", encoding="utf-8") as f:
                    f.write(text)
                subprocess.run([os.environ.get("CC", "cc"), "-c", source, "-o", obj], check=True)
                listing += f"{floor} {obj}\n"
            with open(os.path.join(root, "floors.txt"), "w", encoding="utf-8") as f:
                f.write(listing)
            ran = subprocess.run([sys.executable, CHECKER, "--root", root, "--build", root],
                                 capture_output=True, text=True)
        self.assertEqual(ran.stderr, "")
        if expected is None:
            self.assertEqual((ran.returncode, ran.stdout), (0, ""))
        else:
            self.assertEqual(ran.returncode, 1)
            self.assertRegex(ran.stdout, expected)

    def test_downward_call(self):
        self.check({"heap": "int span_x;", "sched": "extern int span_x; int *p = &span_x;"}, None)

    def test_unknown_symbol(self):
        self.check({"heap": "int abs(int); int f(void) { return abs(1); } int span_x;"}, None)

    def test_upward_call(self):
        self.check({"heap": "void g_park(void); void f(void) { g_park(); }",
                    "sched": "void g_park(void) {}"},
                   "floor heap uses the symbol g_park of the higher floor sched")

    def test_upward_weak_call(self):
        self.check({"heap": "__attribute__((weak)) void g_park(void); void f(void) { g_park(); }",
                    "sched": "void g_park(void) {}"}, "uses the symbol g_park")

    def test_call_of_diag(self):
        self.check({"rt": "void report(void); void f(void) { report(); }",
                    "diag": "void report(void) {}"}, "floor rt uses the symbol report .* diag")

    def test_weak_default_overridden(self):
        self.check({"heap": "__attribute__((weak)) void g_park(void) {}",
                    "sched": "void g_park(void) {}"},
                   "symbol g_park is defined on floor heap and on sched")


class Lists(unittest.TestCase):
    def test_build_has_the_same_floors(self):
        sys.path.insert(0, os.path.dirname(CHECKER))
        import check_floors
        with open(os.path.join(ROOT, "cmake", "GortFloors.cmake"), encoding="utf-8") as f:
            built = re.search(r"set\(GORT_FLOORS ([a-z ]+)\)", f.read()).group(1).split()
        checked = [n for n in sorted(check_floors.FLOORS, key=check_floors.FLOORS.get)
                   if n != "arch"]
        self.assertEqual(built, checked)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
