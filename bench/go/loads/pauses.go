// bench/loads/pauses.c in Go: pauses by runtime/metrics.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"time"
)

var kinds = []struct{ metric, prefix string }{
	{"/sched/pauses/total/gc:seconds", ""},
	{"/sched/pauses/stopping/gc:seconds", "stopping-"},
}

var before [2][]uint64

// A histogram that this version of Go does not have is nil.
func histogram(name string) *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return nil
	}
	return s[0].Value.Float64Histogram()
}

func pausesBegin() {
	for k := range kinds {
		if h := histogram(kinds[k].metric); h != nil {
			before[k] = append([]uint64(nil), h.Counts...)
		}
	}
}

// A bucket's middle; its one finite end where it has no other.
func middle(bounds []float64, i int) float64 {
	if math.IsInf(bounds[i+1], 0) {
		return bounds[i]
	}
	if math.IsInf(bounds[i], 0) {
		return bounds[i+1]
	}
	return (bounds[i] + bounds[i+1]) / 2
}

// The pause that the share q of all is not longer than, in microseconds.
func quantile(h *metrics.Float64Histogram, total uint64, q float64) float64 {
	sum := uint64(0)
	for i, n := range h.Counts {
		sum += n
		if sum > 0 && float64(sum) >= q*float64(total) {
			return middle(h.Buckets, i) * 1e6
		}
	}
	return 0
}

type pauses struct{ p50, p99, max float64 }

func pausesEnd(prefix string) pauses {
	var result [2]pauses
	for k := range kinds {
		h := histogram(kinds[k].metric)
		if h == nil {
			continue
		}
		total := uint64(0)
		for i := range h.Counts {
			h.Counts[i] -= before[k][i]
			total += h.Counts[i]
		}
		p := pauses{quantile(h, total, 0.5), quantile(h, total, 0.99), quantile(h, total, 1)}
		name := prefix + kinds[k].prefix
		if total > 0 {
			figure(name+"p50", p.p50)
			figure(name+"p99", p.p99)
			figure(name+"max", p.max)
		}
		figure(name+"pauses", float64(total))
		result[k] = p
	}
	return result[0]
}

// Seconds of CPU time of all marking.
func markCPU() float64 {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	}
	metrics.Read(s)
	sum := 0.0
	for i := range s {
		if s[i].Value.Kind() != metrics.KindFloat64 {
			fail("no metric " + s[i].Name)
		}
		sum += s[i].Value.Float64()
	}
	return sum
}

func collectWhile(lanes, n int, step func(lane int)) {
	var finished atomic.Bool
	jobs(lanes+1, func(job int) {
		if job > 0 {
			for !finished.Load() {
				step(job - 1)
			}
			return
		}
		for i := 0; i < n; i++ {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		finished.Store(true)
	})
}

// A whole number above 0 from the environment, or what it is otherwise.
func setting(name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		fail("a setting is not above 0")
	}
	return n
}

func pick(whenQuick, otherwise int) int {
	if quick {
		return whenQuick
	}
	return otherwise
}
