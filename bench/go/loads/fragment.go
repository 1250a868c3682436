// bench/loads/fragment.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// The beginning of every part.
type part struct{ next *part }

type part32 struct {
	next *part
	rest [24]byte
}
type part64 struct {
	next *part
	rest [56]byte
}
type part128 struct {
	next *part
	rest [120]byte
}
type part512 struct {
	next *part
	rest [504]byte
}
type part2048 struct {
	next *part
	rest [2040]byte
}

var (
	keptParts, droppedParts *part
	liveBytes, totalBytes   float64
	garbage                 *part64
)

func add[T any](times int, keep bool) {
	for ; times > 0; times-- {
		t := new(T)
		size := unsafe.Sizeof(*t)
		list := &droppedParts
		if keep {
			list = &keptParts
			liveBytes += float64(size)
		}
		totalBytes += float64(size)
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(t)), size)[8:]
		for i := range bytes {
			bytes[i] = byte(size & 0x7F)
		}
		p := (*part)(unsafe.Pointer(t))
		p.next = *list
		*list = p
	}
}

func checkKept() uint64 {
	sum := uint64(0)
	for p := keptParts; p != nil; p = p.next {
		sum = mix(sum, uint64(*(*byte)(unsafe.Add(unsafe.Pointer(p), 8))))
	}
	return sum
}

func goOn(seconds int, busy bool) {
	for i := 0; i < seconds*10; i++ {
		for k := 0; busy && k < 16384; k++ {
			garbage = new(part64)
		}
		if quick {
			time.Sleep(2 * time.Millisecond)
		} else {
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func fragment(runs, busy bool) {
	const mb = 1048576
	bytes, seed := 1024.0*mb, uint64(1)
	if quick {
		bytes = 128 * mb
	}
	for totalBytes < bytes {
		keep := random(&seed)%20 == 0
		if !runs {
			add[part64](1, keep)
			continue
		}
		add[part32](80, keep)
		add[part64](160, keep)
		add[part128](160, keep)
		add[part512](32, keep)
		add[part2048](8, keep)
	}
	figure("full", resident()/mb)
	sum := checkKept()
	droppedParts = nil
	runtime.GC()
	figure("live", liveBytes/mb)
	figure("at-0s", resident()/mb)
	now, last := 0, 0.0
	for _, at := range []int{1, 5, 10, 30, 60} {
		goOn(at-now, busy)
		now, last = at, resident()
		figure(fmt.Sprintf("at-%ds", now), last/mb)
	}
	figure("last", last/mb)
	figure("by-live", last/liveBytes)
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	figure("spans", float64(s.HeapInuse)/mb)
	if checkKept() != sum {
		fail("what was kept changed")
	}
	check(sum)
}
