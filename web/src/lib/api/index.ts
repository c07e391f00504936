export * from './types';
export { Problem } from './problem';
export * as api from './client';
export { onSessionOver } from './client';
