import { ormConfig } from '#libs/database/orm-config.js';

/** For MikroORM's own tools (`npx mikro-orm-esm …`); the processes use the same configuration through libs/database. */
export default ormConfig(process.env.DATABASE_URL ?? 'postgresql://localhost:5432/event_monitor');
