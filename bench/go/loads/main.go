// The loads of bench/loads, in Go: loads LOAD PROCS [quick], or loads version.
//
// Written for Go 1.19 and later.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	procs int
	quick bool
)

func rusage() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

var (
	wallBegin time.Time
	cpuBegin  time.Duration
)

func begin() {
	wallBegin = time.Now()
	cpuBegin = rusage()
}

func end(ops float64) {
	wall, cpu := time.Since(wallBegin), rusage()-cpuBegin
	figure("wall", float64(wall)/1e6)
	figure("cpu", float64(cpu)/1e6)
	figure("each", float64(cpu)/ops)
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	figure("collections", float64(s.NumGC))
}

func figure(name string, value float64) { fmt.Printf("%s %.6f\n", name, value) }
func check(sum uint64)                  { fmt.Printf("check %d\n", sum>>12) }

func fail(what string) {
	fmt.Fprintln(os.Stderr, "go:", what)
	os.Exit(1)
}

func resident() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	if err != nil {
		fail("no /proc/self/statm")
	}
	return pages * float64(os.Getpagesize())
}

// Pseudo-random numbers, the same in every program: 31 bits.
func random(state *uint64) uint32 {
	*state = *state*6364136223846793005 + 1442695040888963407
	return uint32(*state >> 33)
}

func mix(sum, value uint64) uint64 {
	return (sum^value)*0x9E3779B97F4A7C15 + (sum >> 29)
}

// fn(0) ... fn(n-1), each on a goroutine.
func jobs(n int, fn func(int)) {
	var done sync.WaitGroup
	done.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			fn(i)
			done.Done()
		}(i)
	}
	done.Wait()
}

var loads = map[string]func(){
	"large-heap":      largeHeap,
	"mark-tree":       func() { marking(false) },
	"mark-random":     func() { marking(true) },
	"trees":           func() { trees(false) },
	"trees-pauses":    func() { trees(true) },
	"larson":          larson,
	"xmalloc":         xmalloc,
	"scratch":         scratch,
	"fragment-runs":   func() { fragment(true, true) },
	"fragment-idle":   func() { fragment(true, false) },
	"fragment-single": func() { fragment(false, true) },
	"nodes-order":     func() { nodes(false) },
	"nodes-random":    func() { nodes(true) },
	"ring":            ring,
	"heap":            heap,
	"garbage-4":       func() { garbageLoad(4) },
	"garbage-16":      func() { garbageLoad(16) },
	"garbage-64":      func() { garbageLoad(64) },
	"parked":          parked,
	"deep":            deep,
	"hogs":            hogs,
	"barrier":         barrier,
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: loads LOAD PROCS [quick]")
		os.Exit(2)
	}
	procs, _ = strconv.Atoi(os.Args[2])
	quick = len(os.Args) > 3 && os.Args[3] == "quick"
	if run, ok := loads[os.Args[1]]; ok {
		run()
	} else if run, ok := variants[os.Args[1]]; ok {
		run()
	} else {
		os.Exit(3)
	}
}
