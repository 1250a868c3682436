// bench/gort/parked.c, deep.c, hogs.c and, as far as Go has it, barrier.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

type cell struct {
	next  *cell
	value uint64
}

func listOf(n int) *cell {
	var list *cell
	for n--; n >= 0; n-- {
		list = &cell{list, uint64(n)}
	}
	return list
}

func churnCells(int) {
	if listOf(1000).next.value != 1 {
		fail("garbage was lost")
	}
}

var keptCells atomic.Int64

//go:noinline
func newCell(value uint64) *cell { return &cell{nil, value} }

func parked() {
	var done sync.WaitGroup
	var arrived atomic.Int64
	count, gate := setting("GORT_BENCH_PARKED", pick(100000, 1000000)), make(chan int)
	done.Add(count)
	for i := 0; i < count; i++ {
		go func(i uint64) {
			c := newCell(i)
			arrived.Add(1)
			<-gate
			if c.value == i {
				keptCells.Add(1)
			}
			done.Done()
		}(uint64(i))
	}
	for arrived.Load() != int64(count) {
		runtime.Gosched()
	}
	collectWhile(procs, 1, churnCells)
	pausesBegin()
	collectWhile(procs, pick(3, 10), churnCells)
	pausesEnd("")
	close(gate)
	done.Wait()
	if keptCells.Load() != int64(count) {
		fail("a goroutine's object was lost")
	}
	check(uint64(count) << 12)
}

const frameWords = 24

var deepAtBottom, deepFinished atomic.Bool
var deepWorst time.Duration

// Frames are a little larger than their words.
//
//go:noinline
func descend(level, frames uint64) {
	var frame [frameWords]*cell
	frame[level%frameWords] = newCell(level)
	if level < frames {
		descend(level+1, frames)
	} else {
		deepAtBottom.Store(true)
		for !deepFinished.Load() {
			begin := time.Now()
			churnCells(0)
			if t := time.Since(begin); t > deepWorst {
				deepWorst = t
			}
		}
	}
	if frame[level%frameWords].value != level {
		fail("a frame's object was lost")
	}
}

func deep() {
	depth := pick(8, 64) << 20
	done := make(chan bool)
	go func() {
		descend(0, uint64(depth/(frameWords*8)))
		done <- true
	}()
	for !deepAtBottom.Load() {
		time.Sleep(time.Millisecond)
	}
	s := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	if metrics.Read(s); s[0].Value.Uint64() < uint64(depth) {
		fail("not deep")
	}
	runtime.GC()
	pausesBegin()
	for i := 0; i < pick(5, 30); i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	pausesEnd("")
	deepFinished.Store(true)
	<-done
	figure("worst", float64(deepWorst)/1e3)
	check(uint64(depth) << 12)
}

var hogSum atomic.Uint64

func hogs() {
	var finished atomic.Bool
	var done sync.WaitGroup
	done.Add(procs)
	for i := 0; i < procs; i++ {
		go func(x uint64) {
			for !finished.Load() {
				x = mix(x, x)
			}
			hogSum.Add(x)
			done.Done()
		}(uint64(i))
	}
	time.Sleep(50 * time.Millisecond)
	pausesBegin()
	for i := 0; i < pick(10, 100); i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	pausesEnd("")
	finished.Store(true)
	done.Wait()
	check(1 << 12)
}

const (
	slotCount     = 1024
	barrierRounds = 9
)

var (
	slots      [slotCount]*cell
	plainSlots [slotCount]uintptr
)

//go:noinline
func storeSet(n int) float64 {
	objects := [2]*cell{newCell(0), newCell(1)}
	t := rusage()
	for i := 0; i < n; i++ {
		slots[i%slotCount] = objects[i&1]
	}
	return float64(rusage()-t) / float64(n)
}

//go:noinline
func storePlain(n int) float64 {
	objects := [2]uintptr{1, 2}
	t := rusage()
	for i := 0; i < n; i++ {
		plainSlots[i%slotCount] = objects[i&1]
	}
	return float64(rusage()-t) / float64(n)
}

// Stores of pointers, and of integers in the place of plain ones; Go has no others.
func barrier() {
	var plain, set []float64
	n := pick(1000000, 10000000)
	debug.SetGCPercent(-1)
	for i := 0; i < barrierRounds; i++ {
		plain = append(plain, storePlain(n))
		set = append(set, storeSet(n))
	}
	sort.Float64s(plain)
	sort.Float64s(set)
	figure("plain", plain[barrierRounds/2])
	figure("set", set[barrierRounds/2])
	figure("over", set[barrierRounds/2]-plain[barrierRounds/2])
	check(1 << 12)
}
