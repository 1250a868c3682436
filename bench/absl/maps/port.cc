// Maps on Abseil's flat_hash_map.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "maps.h"

#include <absl/base/config.h>
#include <absl/container/flat_hash_map.h>
#include <string_view>

namespace
{
typedef absl::flat_hash_map<uint64_t, uint64_t> int_map;
typedef absl::flat_hash_map<absl::string_view, uint64_t> text_map;

absl::string_view view(const maps_text &t)
{
    return absl::string_view(t.start, t.size);
}
uint64_t view(uint64_t x)
{
    return x;
}

#define MAPS_PUT(m, k, v) ((*(m))[view(k)] = (v))
#define MAPS_DELETE(m, k) (m)->erase(view(k))
#define MAPS_GET(m, k, found, value)                                                               \
    do {                                                                                           \
        auto at_ = (m)->find(view(k));                                                             \
        (found) = at_ != (m)->end();                                                               \
        if (found) (value) = at_->second;                                                          \
    } while (0)
#define MAPS_SUM(m, sum)                                                                           \
    do {                                                                                           \
        for (const auto &entry_ : *(m))                                                            \
            (sum) += entry_.second;                                                                \
    } while (0)
#define MAPS_FREE(m) delete (m)

#define MAPS_FN measure_ints
#define MAPS_KEY uint64_t
#define MAPS_FIELD(j, name) (j)->name##ints
#define MAPS_TYPE int_map *
#define MAPS_MAKE() new int_map
#include "body.h"

#define MAPS_FN measure_texts
#define MAPS_KEY maps_text
#define MAPS_FIELD(j, name) (j)->name##texts
#define MAPS_TYPE text_map *
#define MAPS_MAKE() new text_map
#include "body.h"
} // namespace

void maps_ints(const struct maps_job *job)
{
    measure_ints(job);
}

void maps_texts(const struct maps_job *job)
{
    measure_texts(job);
}

void maps_grow(const struct maps_job *job)
{
    int_map *m = new int_map;
    maps_each_begin();
    for (size_t i = 0; i < job->entries; i++) {
        (*m)[job->ints[i]] = i;
        maps_each();
    }
    maps_each_end();
    maps_check(m->size());
    delete m;
}

void maps_version(char *text, size_t size)
{
    snprintf(text, size, "%d", ABSL_LTS_RELEASE_VERSION);
}

int maps_run(int (*fn)(int argc, char **argv), int argc, char **argv)
{
    return fn(argc, argv);
}
