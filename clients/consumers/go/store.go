package main

import (
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Store is the consumer's own: what it made of the events, and how far it has read, changed in one transaction. Then no
// crash can come between the two, and the broker's committed offsets are not needed.
type Store struct{ db *bolt.DB }

// Position is how far a partition is read: the next offset, and the highest ce_sequence that was applied.
type Position struct {
	NextOffset int64
	Seq        int64
	Closed     bool
}

type event struct {
	Topic    string
	Seq      int64
	Type     string
	Currency string
	Charged  int64
}

var buckets = [][]byte{[]byte("reading"), []byte("position"), []byte("event")}

// OpenStore opens the file, or makes it.
func OpenStore(path string) (*Store, error) {
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return nil, err
	}
	return &Store{db}, db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// Update changes all of it, or nothing.
func (s *Store) Update(change func(Tx) error) error {
	return s.db.Update(func(tx *bolt.Tx) error { return change(Tx{tx}) })
}

// View looks.
func (s *Store) View(look func(Tx) error) error {
	return s.db.View(func(tx *bolt.Tx) error { return look(Tx{tx}) })
}

// Tx is one transaction.
type Tx struct{ tx *bolt.Tx }

// Reading is the generation of the topic that is read, empty before the first.
func (t Tx) Reading(topic string) string { return string(t.tx.Bucket(buckets[0]).Get([]byte(topic))) }

// Read reads this generation of the topic from now on.
func (t Tx) Read(topic, name string, positions []Position) error {
	if err := t.tx.Bucket(buckets[0]).Put([]byte(topic), []byte(name)); err != nil {
		return err
	}
	for partition, at := range positions {
		if err := t.Move(name, int32(partition), at); err != nil {
			return err
		}
	}
	return nil
}

// Move has read a partition up to there.
func (t Tx) Move(name string, partition int32, to Position) error {
	return put(t.tx.Bucket(buckets[1]), place(name, partition), to)
}

// Positions are those on a generation, by partition.
func (t Tx) Positions(name string) (map[int32]Position, error) {
	found, bucket := map[int32]Position{}, t.tx.Bucket(buckets[1])
	for partition := int32(0); ; partition++ {
		told := bucket.Get([]byte(place(name, partition)))
		if told == nil {
			return found, nil
		}
		var at Position
		if err := json.Unmarshal(told, &at); err != nil {
			return nil, err
		}
		found[partition] = at
	}
}

// Add keeps an event. One that is there already has come past the numbers, which must not be.
func (t Tx) Add(id string, one event) error {
	bucket := t.tx.Bucket(buckets[2])
	if bucket.Get([]byte(id)) != nil {
		return fmt.Errorf("event %s is there already under another number", id)
	}
	return put(bucket, id, one)
}

// ForgetAbove undoes what was made of events of the topic above a number: they never happened.
func (t Tx) ForgetAbove(topic string, seq int64) error {
	var undone [][]byte
	if err := t.Each(func(id []byte, one event) {
		if one.Topic == topic && one.Seq > seq {
			undone = append(undone, append([]byte{}, id...))
		}
	}); err != nil {
		return err
	}
	for _, id := range undone {
		if err := t.tx.Bucket(buckets[2]).Delete(id); err != nil {
			return err
		}
	}
	return nil
}

// Each looks at every event.
func (t Tx) Each(look func(id []byte, one event)) error {
	return t.tx.Bucket(buckets[2]).ForEach(func(id, told []byte) error {
		var one event
		if err := json.Unmarshal(told, &one); err != nil {
			return err
		}
		look(id, one)
		return nil
	})
}

func place(name string, partition int32) string { return fmt.Sprintf("%s/%d", name, partition) }

func put(bucket *bolt.Bucket, key string, value any) error {
	told, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put([]byte(key), told)
}
