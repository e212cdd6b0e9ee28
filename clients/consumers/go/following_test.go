package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic   = "lyceum.billing.order"
	paid    = "lyceum.billing.order.paid.v1"
	schemas = "../../../schemas"
)

func loaded(t *testing.T) *Schemas {
	t.Helper()
	found, err := LoadSchemas(filepath.Join(schemas, "avro"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func golden(t *testing.T) []byte {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(schemas, "golden", paid+".0.bin"))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func begun(t *testing.T) *Follower {
	t.Helper()
	store, err := OpenStore(filepath.Join(t.TempDir(), "counts.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.db.Close() })
	if err := store.Update(func(tx Tx) error { return tx.Read(topic, topic, make([]Position, 2)) }); err != nil {
		t.Fatal(err)
	}
	return &Follower{store: store, schemas: loaded(t)}
}

func record(offset, seq, previous int64, value []byte) *kgo.Record {
	number := func(one int64) []byte { return []byte(strconv.FormatInt(one, 10)) }
	return &kgo.Record{Offset: offset, Key: []byte("k"), Value: value, Headers: []kgo.RecordHeader{
		{Key: "ce_id", Value: number(seq)}, {Key: "ce_type", Value: []byte(paid)},
		{Key: "ce_sequence", Value: number(seq)}, {Key: "ce_previoussequence", Value: number(previous)},
	}}
}

func closed(t *testing.T, offset int64, more map[string]any) *kgo.Record {
	t.Helper()
	barrier := map[string]any{
		"next_topic": topic + ".g2", "partitions": 3, "partitions_before": 2, "barrier_seq": 9, "offsets": []int{5, 6, 7},
	}
	for name, value := range more {
		barrier[name] = value
	}
	value, err := json.Marshal(barrier)
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Offset: offset, Value: value, Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte(closedType)}}}
}

func apply(t *testing.T, f *Follower, name string, partition int32, records ...*kgo.Record) bool {
	t.Helper()
	crossed, err := f.Apply(topic, name, partition, records)
	if err != nil {
		t.Fatal(err)
	}
	return crossed
}

func held(t *testing.T, f *Follower) (count int, charged int64) {
	t.Helper()
	if err := f.store.View(func(tx Tx) error {
		return tx.Each(func(_ []byte, one event) { count, charged = count+1, charged+one.Charged })
	}); err != nil {
		t.Fatal(err)
	}
	return count, charged
}

func TestEveryGoldenIsReadByItsFingerprint(t *testing.T) {
	found := loaded(t)
	paths, _ := filepath.Glob(filepath.Join(schemas, "golden", "*.bin"))
	if len(paths) == 0 {
		t.Fatal("no goldens")
	}
	for _, path := range paths {
		value, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := found.Decode(value); err != nil || len(data) == 0 {
			t.Errorf("%s: %v %v", path, data, err)
		}
	}
}

func TestWhatComesAgainIsAppliedOnce(t *testing.T) {
	f, value := begun(t), golden(t)
	apply(t, f, topic, 0, record(0, 3, 0, value), record(1, 7, 3, value), record(2, 3, 0, value), record(3, 7, 3, value))
	count, charged := held(t, f)
	if count != 2 || charged != 2*1234567890123 || f.seen != (Seen{Applied: 2, Duplicates: 2}) {
		t.Errorf("%d events, %d charged, %+v", count, charged, f.seen)
	}
}

func TestARecordThatNeverCameStopsItWithNothingHalfDone(t *testing.T) {
	f, value := begun(t), golden(t)
	if _, err := f.Apply(topic, topic, 0, []*kgo.Record{record(0, 3, 0, value), record(1, 7, 5, value)}); err == nil {
		t.Fatal("it went on")
	}
	if count, _ := held(t, f); count != 0 || f.seen != (Seen{}) {
		t.Errorf("%d events, %+v", count, f.seen)
	}
}

func TestAnUnknownSchemaStopsIt(t *testing.T) {
	f := begun(t)
	for _, value := range [][]byte{append([]byte("\xc3\x01unknown!"), golden(t)[10:]...), {0, 0, 0, 0, 1}} {
		if _, err := f.Apply(topic, topic, 0, []*kgo.Record{record(0, 3, 0, value)}); err == nil {
			t.Error("it went on")
		}
	}
}

func TestItCrossesOverWhenEveryPartitionIsClosed(t *testing.T) {
	f, value := begun(t), golden(t)
	if apply(t, f, topic, 0, record(0, 3, 0, value), closed(t, 1, nil), record(2, 11, 3, value)) {
		t.Fatal("one partition is open")
	}
	if !apply(t, f, topic, 1, closed(t, 0, nil)) {
		t.Fatal("it did not cross")
	}
	apply(t, f, topic+".g2", 2, record(7, 11, 8, value))
	if count, _ := held(t, f); count != 2 {
		t.Errorf("%d events", count)
	}
}

func TestWhatNeverHappenedIsUndone(t *testing.T) {
	f, value := begun(t), golden(t)
	apply(t, f, topic, 0, record(0, 3, 0, value), record(1, 7, 3, value))
	rewound := map[string]any{"rewound": true, "histories": []map[string]any{{"kept_seq": 0}, {"kept_seq": 5}}}
	apply(t, f, topic, 0, closed(t, 2, rewound))
	apply(t, f, topic, 1, closed(t, 0, rewound))
	if count, _ := held(t, f); count != 1 {
		t.Fatalf("%d events", count)
	}
	apply(t, f, topic+".g2", 0, record(1, 3, 0, value), record(2, 1_000_008, 3, value))
	if count, _ := held(t, f); count != 2 || f.seen.Duplicates != 1 {
		t.Errorf("%d events, %+v", count, f.seen)
	}
}

func TestANewReaderBeginsWithTheOldestGenerationThatIsLeft(t *testing.T) {
	for wanted, names := range map[string][]string{"t.g9": {"t.g10", "t.g9", "t2"}, "t": {"t.g2", "t"}, "": {"u"}} {
		if found := oldest("t", names); found != wanted {
			t.Errorf("%q of %v", found, names)
		}
	}
}
