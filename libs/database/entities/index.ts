import { eventEntities } from '#libs/events/entity.js';
import { BlockEntity, ChainCandidateEntity, ChainEntity, ChainLaneEntity, SourceEntity } from './chain.js';
import { ContractEventEntity, EventFragmentEntity } from './contract-event.js';
import { DerivationRangeEntity, UnderivedRowEntity } from './derivation.js';
import { FeedCommitEntity, FeedCounterEntity } from './feed.js';
import { ConflictingLogEntity, UndecodableLogEntity } from './kept-log.js';

/** Every entity of the database. */
export const entities = [
  ChainEntity,
  ChainLaneEntity,
  ChainCandidateEntity,
  SourceEntity,
  BlockEntity,
  FeedCounterEntity,
  FeedCommitEntity,
  UndecodableLogEntity,
  ConflictingLogEntity,
  EventFragmentEntity,
  ContractEventEntity,
  DerivationRangeEntity,
  UnderivedRowEntity,
  ...eventEntities,
];
