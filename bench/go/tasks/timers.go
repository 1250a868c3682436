// bench/gort/tasks/timers.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"runtime"
	"sort"
	"sync/atomic"
	"time"
)

const (
	sleepers = 200
	busy     = 8
	turn     = 4000
	firstNs  = 200 * time.Millisecond
	spreadNs = 500 * time.Millisecond
	sleepMax = 5 * time.Millisecond
)

func nextRandom(state *uint64) uint64 {
	*state ^= *state << 13
	*state ^= *state >> 7
	*state ^= *state << 17
	return *state
}

func timers() {
	n := count(1000000)
	var calls atomic.Int64
	random := uint64(88172645463325252)
	begin()
	for i := 0; i < n; i++ {
		time.AfterFunc(firstNs+time.Duration(nextRandom(&random)%uint64(spreadNs)), func() { calls.Add(1) })
	}
	for calls.Load() != int64(n) {
		time.Sleep(time.Millisecond)
	}
	end(float64(n))
	check(uint64(n) << 12)
}

var computed [sleepers + busy]uint64

func lateness() {
	rounds := count(400)
	var stillAsleep atomic.Int64
	stillAsleep.Store(sleepers)
	late := make([]float64, rounds*sleepers)
	begin()
	join(sleepers+busy, func(id int) {
		if id >= sleepers {
			value := uint64(id)
			for stillAsleep.Load() != 0 {
				for k := 0; k < turn; k++ {
					value = mix(value, uint64(k))
				}
				runtime.Gosched()
			}
			computed[id] = value
			return
		}
		random := 0x9E3779B97F4A7C15 * (uint64(id) + 1)
		for i := 0; i < rounds; i++ {
			ns := time.Duration(nextRandom(&random) % uint64(sleepMax))
			from := time.Now()
			time.Sleep(ns)
			late[id*rounds+i] = float64(time.Since(from)-ns) / 1e3
		}
		stillAsleep.Add(-1)
	})
	end(float64(len(late)))
	sort.Float64s(late)
	figure("p50", late[len(late)/2])
	figure("p99", late[len(late)-len(late)/100])
	check(uint64(len(late)) << 12)
}
