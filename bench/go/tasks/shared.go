// bench/gort/tasks/shared.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"sync"
	"sync/atomic"
)

const users = 8

func use(total int, fn func(me, turns int) uint64) (int, uint64) {
	var sums [users * 8]uint64
	turns := total / users
	begin()
	join(users, func(me int) { sums[me*8] = fn(me, turns) })
	end(float64(turns) * users)
	var sum uint64
	for i := 0; i < users; i++ {
		sum += sums[i*8]
	}
	return turns, sum
}

func xorshift(x uint64) uint64 {
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	return x
}

func randomOf(me int) uint64 { return uint64(me+1) * 0x9E3779B97F4A7C15 }

func counter() {
	var c atomic.Int64
	use(count(100000000), func(me, turns int) uint64 {
		for i := 0; i < turns; i++ {
			c.Add(1)
		}
		return 0
	})
	check(uint64(c.Load()) << 12)
}

func fillShared(m *sync.Map) uint64 {
	n := uint64(number())
	for i := uint64(0); i < n; i++ {
		m.Store(int64(i), int64(i)+1)
	}
	return n
}

func size(m *sync.Map) (n uint64) {
	m.Range(func(any, any) bool { n++; return true })
	return
}

func cmapHit() {
	var m sync.Map
	n := fillShared(&m)
	_, sum := use(count(8000000), func(me, turns int) (sum uint64) {
		random := randomOf(me)
		for i := 0; i < turns; i++ {
			random = xorshift(random)
			if value, ok := m.Load(int64(random % n)); ok {
				sum += uint64(value.(int64))
			}
		}
		return
	})
	check(sum << 12)
}

func cmapUpdate() {
	var m sync.Map
	n := fillShared(&m)
	use(count(4000000), func(me, turns int) uint64 {
		random := randomOf(me)
		for i := 0; i < turns; i++ {
			random = xorshift(random)
			m.Store(int64(random%n), int64(i))
		}
		return 0
	})
	check(size(&m) << 12)
}

func cmapInsert() {
	var m sync.Map
	use(count(number()), func(me, turns int) uint64 {
		for i := 0; i < turns; i++ {
			m.LoadOrStore(int64(me)*int64(turns)+int64(i), int64(i))
		}
		return 0
	})
	check(size(&m) << 12)
}

func cmapMixed() {
	var m sync.Map
	n := fillShared(&m)
	turns, _ := use(count(4000000), func(me, turns int) (found uint64) {
		random := randomOf(me)
		for i := 0; i < turns; i++ {
			random = xorshift(random)
			key := int64(random % n)
			switch what := uint32(random>>40) % 100; {
			case what < 5:
				m.Store(key, int64(i))
			case what < 10:
				m.Delete(key)
			default:
				if _, ok := m.Load(key); ok {
					found++
				}
			}
		}
		return
	})
	check(uint64(turns) << 12)
}
