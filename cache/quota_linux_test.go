package cache

import "testing"

func TestKeyQuota(t *testing.T) {
	const text = "    0:  1049 1048/1048 1043/1000000 102931/25000000\n 1000:     7 7/7 200/200 416/20000\n 1001: broken\n"
	for uid, want := range map[int][2]int{0: {1043, 1000000}, 1000: {200, 200}} {
		if used, most, ok := keyQuota(text, uid); !ok || used != want[0] || most != want[1] {
			t.Errorf("%d: %d of %d, %v", uid, used, most, ok)
		}
	}
	for _, uid := range []int{1, 1001} {
		if _, _, ok := keyQuota(text, uid); ok {
			t.Errorf("%d has a quota", uid)
		}
	}
}
