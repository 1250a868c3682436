// Maps on Go: the loads of bench/maps.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

const (
	lookupsMax = 1000000
	operations = 4000000
)

type figure struct{ ns, ops float64 }

var (
	figures = map[string]*figure{}
	order   []string
	check   uint64
	begun   int64
)

func clock(id uintptr) int64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func cpu() int64 { return clock(2) }

type moment struct{ wall, cpu, faults int64 }

// Of this thread; system calls that do not give the P up.
func now() moment {
	var r syscall.Rusage
	syscall.RawSyscall(syscall.SYS_GETRUSAGE, 1, uintptr(unsafe.Pointer(&r)), 0)
	return moment{clock(1), clock(3), r.Minflt + r.Majflt}
}

func begin() { begun = cpu() }

func figureOf(name string) *figure {
	f := figures[name]
	if f == nil {
		f = &figure{}
		figures[name] = f
		order = append(order, name)
	}
	return f
}

func end(name string, ops int) {
	ns := cpu() - begun
	f := figureOf(name)
	f.ns += float64(ns)
	f.ops += float64(ops)
}

func scatter(x uint64) uint64 {
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

type job[K comparable] struct {
	rounds                int
	keys, wanted, missing []K
}

func makeInts(entries int) *job[uint64] {
	j := &job[uint64]{rounds: 1}
	lookups := min(entries, lookupsMax)
	if entries < operations {
		j.rounds = operations / entries
	}
	order := make([]int, entries)
	for i := range order {
		order[i] = i
	}
	for i := entries - 1; i > 0; i-- {
		k := scatter(uint64(i)) % uint64(i+1)
		order[i], order[k] = order[k], order[i]
	}
	for i := 0; i < entries; i++ {
		j.keys = append(j.keys, scatter(uint64(i)+1))
	}
	for i := 0; i < lookups; i++ {
		n := uint64(order[i])
		if entries > lookupsMax {
			n = scatter(uint64(i)+77) % uint64(entries)
		}
		j.wanted = append(j.wanted, scatter(n+1))
		j.missing = append(j.missing, scatter(uint64(entries+i)+1))
	}
	return j
}

func texts(numbers []uint64) []string {
	var all strings.Builder
	var ends []int
	for _, n := range numbers {
		text := fmt.Sprintf("%016x", scatter(n)) + "----------------"
		all.WriteString(text[:8+scatter(n+5)%16])
		ends = append(ends, all.Len())
	}
	var out []string
	at := 0
	for _, e := range ends {
		out = append(out, all.String()[at:e])
		at = e
	}
	return out
}

func measure[K comparable](j *job[K]) {
	var sum uint64
	for round := 0; round < j.rounds; round++ {
		m := make(map[K]uint64)
		begin()
		for i, k := range j.keys {
			m[k] = uint64(i)
		}
		end("put", len(j.keys))
		begin()
		for _, k := range j.wanted {
			if v, ok := m[k]; ok {
				sum += v
			}
		}
		end("hit", len(j.wanted))
		begin()
		for _, k := range j.missing {
			if v, ok := m[k]; ok {
				sum += v
			}
		}
		end("miss", len(j.missing))
		begin()
		for i, k := range j.wanted {
			m[k] = uint64(i)
		}
		end("update", len(j.wanted))
		begin()
		for _, v := range m {
			sum += v
		}
		end("iterate", len(j.keys))
		begin()
		for _, k := range j.wanted {
			delete(m, k)
		}
		end("delete", len(j.wanted))
		for _, k := range j.wanted {
			if _, ok := m[k]; ok {
				sum++
			}
		}
	}
	check += sum
}

func grow(keys []uint64) {
	runtime.LockOSThread()
	m := make(map[uint64]uint64)
	var longest, longestCPU, longestOwn int64
	before := now()
	for i, k := range keys {
		m[k] = uint64(i)
		t := now()
		longest = max(longest, t.wall-before.wall)
		longestCPU = max(longestCPU, t.cpu-before.cpu)
		if t.faults == before.faults {
			longestOwn = max(longestOwn, t.cpu-before.cpu)
		}
		before = t
	}
	for name, ns := range map[string]int64{
		"longest": longest, "longest-cpu": longestCPU, "longest-own": longestOwn} {
		f := figureOf(name)
		f.ns, f.ops = float64(ns)/1000, 1
	}
	check += uint64(len(m))
}

func entriesOf(load string, quick bool) int {
	_, size, _ := strings.Cut(load, "-")
	switch {
	case size == "1k":
		return 1000
	case size == "100k":
		return 100000
	case quick:
		return 1000000
	}
	return 10000000
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: maps LOAD PROCS [quick]")
		os.Exit(2)
	}
	load := os.Args[1]
	quick := len(os.Args) > 3 && os.Args[3] == "quick"
	ints := makeInts(entriesOf(load, quick))
	if quick && ints.rounds > 1 {
		ints.rounds = (ints.rounds + 9) / 10
	}
	switch {
	case strings.HasPrefix(load, "int-"):
		measure(ints)
	case strings.HasPrefix(load, "text-"):
		measure(&job[string]{ints.rounds, texts(ints.keys), texts(ints.wanted), texts(ints.missing)})
	case load == "grow":
		grow(ints.keys)
	default:
		os.Exit(3)
	}
	for _, name := range order {
		fmt.Printf("%s %.3f\n", name, figures[name].ns/figures[name].ops)
	}
	fmt.Println("check", check&0xffffffff)
}
